-- Connections, connection requests, and their numbers.

-- A connection has two rows, one for each account.
CREATE TABLE connections (
    account      uuid        NOT NULL,
    other        uuid        NOT NULL,
    connected_at timestamptz NOT NULL,
    PRIMARY KEY (account, other)
);
CREATE INDEX connections_of_account ON connections (account, connected_at, other);

-- Unanswered requests.
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
    ADD COLUMN requests_received bigint NOT NULL DEFAULT 0,     -- unanswered ones
    ADD COLUMN requests_sent     bigint NOT NULL DEFAULT 0;
