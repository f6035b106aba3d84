-- Connections, requests for them, and their counts.

-- A connection has a row for each of the two accounts.
CREATE TABLE connections (
    account      uuid        NOT NULL,
    other        uuid        NOT NULL,
    connected_at timestamptz NOT NULL,
    PRIMARY KEY (account, other)
);
CREATE INDEX connections_of_account ON connections (account, connected_at, other);

-- Requests that were not answered.
CREATE TABLE connection_requests (
    recipient    uuid        NOT NULL,
    requester    uuid        NOT NULL,
    requested_at timestamptz NOT NULL,
    PRIMARY KEY (recipient, requester)
);
CREATE INDEX connection_requests_received ON connection_requests (recipient, requested_at, requester);
CREATE INDEX connection_requests_sent ON connection_requests (requester, requested_at, recipient);

ALTER TABLE account_counts
    ADD COLUMN connections       bigint NOT NULL DEFAULT 0,
    ADD COLUMN requests_received bigint NOT NULL DEFAULT 0,     -- not answered yet
    ADD COLUMN requests_sent     bigint NOT NULL DEFAULT 0;
