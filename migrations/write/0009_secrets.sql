-- The secrets of this installation, in one row. They are in the database so that services share them without another file to
-- distribute, and because whoever can change the log needs no forged message. New ones (UPDATE, then a restart of all
-- services) make every message that was published before unauthentic, and every position that was given out before invalid.
CREATE TABLE write.secrets (
    only_row         boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    event_key        bytea NOT NULL CHECK (octet_length(event_key) = 32),
    announcement_key bytea NOT NULL CHECK (octet_length(announcement_key) = 32),
    position_key     bytea NOT NULL CHECK (octet_length(position_key) = 32)
);

-- gen_random_uuid has 122 random bits of the server's cryptographic generator. (pgcrypto may not be installed.)
INSERT INTO write.secrets (event_key, announcement_key, position_key)
SELECT keys[1], keys[2], keys[3]
FROM (
    SELECT array_agg(sha256(convert_to(concat(gen_random_uuid(), gen_random_uuid(), gen_random_uuid()), 'UTF8'))) AS keys
    FROM generate_series(1, 3)
) AS random;

GRANT SELECT ON write.secrets TO feedmill_write;
GRANT SELECT (event_key, announcement_key) ON write.secrets TO feedmill_projector;
GRANT USAGE ON SCHEMA write TO feedmill_read;
GRANT SELECT (announcement_key, position_key) ON write.secrets TO feedmill_read;
