-- Handles that accounts have given up: they stay with their owners for 30 days. Instances of the version before go on working
-- beside the new one; the handles that they free can be taken at once.

CREATE TABLE write.freed_handles (
    handle     text PRIMARY KEY,
    account_id uuid        NOT NULL,
    freed_at   timestamptz NOT NULL
);
CREATE INDEX freed_handles_freed_at ON write.freed_handles (freed_at);
