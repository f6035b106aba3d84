-- Connections between accounts, and connection requests. The previous version can run with this migration.

CREATE TABLE write.connections (
    low_id       uuid NOT NULL,             -- the two accounts, the lower id first
    high_id      uuid NOT NULL,
    requester_id uuid        NOT NULL,      -- the account that sent the request
    requested_at timestamptz NOT NULL,
    connected_at timestamptz,               -- NULL: the request is unanswered
    CONSTRAINT connections_pkey PRIMARY KEY (low_id, high_id)
);
CREATE INDEX connections_pending ON write.connections (requester_id) WHERE connected_at IS NULL;

-- Declined requests. They cannot be repeated for 30 days.
CREATE TABLE write.declined_requests (
    from_id     uuid        NOT NULL,
    to_id       uuid        NOT NULL,
    declined_at timestamptz NOT NULL,
    CONSTRAINT declined_requests_pkey PRIMARY KEY (from_id, to_id)
);
CREATE INDEX declined_requests_declined_at ON write.declined_requests (declined_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON write.connections, write.declined_requests TO feedmill_write;
