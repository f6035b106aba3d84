-- When the current generation of a session was issued; NULL in a row that only an older write-api has written, which goes on
-- working beside the new one.
ALTER TABLE write.sessions ADD COLUMN issued_at timestamptz;

COMMENT ON COLUMN write.idempotency.account_id IS
    'The account; for requests without one, a hash of the fingerprint, so that strangers share no keys';
