-- Sessions can be listed and ended. Instances of the version before go on working beside the new one. The index locks the
-- table for about a second per million sessions.

ALTER TABLE write.sessions
    -- When the current generation was issued; NULL in a row that only an older write-api has written.
    ADD COLUMN issued_at   timestamptz,
    ADD COLUMN device_name text;            -- what the client called its device when it signed in
CREATE INDEX sessions_account ON write.sessions (account_id);

-- The sessions that have ended and may still have access tokens, which every service refuses.
CREATE TABLE write.ended_sessions (
    session_id    uuid PRIMARY KEY,
    refused_until timestamptz NOT NULL      -- all of its access tokens have expired then
);
CREATE INDEX ended_sessions_refused_until ON write.ended_sessions (refused_until);

COMMENT ON COLUMN write.idempotency.account_id IS
    'The account; for requests without one, a hash of the fingerprint, so that strangers share no keys';
