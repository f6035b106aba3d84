-- Audiences of threads, blocks between accounts, and settings of accounts.
--
-- An older write-api does not store the root of a post's thread. Stop all instances before this migration, and start the new
-- version after it.

-- Audiences of threads, by root post. A public thread has no row. The row stays when the root post is deleted, because the replies
-- stay.
CREATE TABLE write.audiences (
    root_id  uuid PRIMARY KEY,
    audience smallint NOT NULL,         -- 1: connections of the root's author, 2: members of any of the tags, 3: the author only
    tag_ids  uuid[]                     -- NULL unless the audience is 2
);

CREATE TABLE write.blocks (
    blocker_id uuid        NOT NULL,
    blocked_id uuid        NOT NULL,
    blocked_at timestamptz NOT NULL,
    CONSTRAINT blocks_pkey PRIMARY KEY (blocker_id, blocked_id)
);

ALTER TABLE write.accounts
    ADD COLUMN default_audience smallint NOT NULL DEFAULT 0,    -- as in write.audiences, or 0: public
    ADD COLUMN who_may_message  smallint NOT NULL DEFAULT 0;    -- 0: everyone, 1: connections

-- The root post of each post's thread, and its author. Parents may be deleted, so threads are read from the log: an envelope
-- begins with the length of the type's name, the name and the version: 14 bytes. The time and the length of the payload follow,
-- both as varints, of which only the last byte is below 128. The payload begins with the ids of the post and of its author, each
-- after a byte with its length. A reply has a byte 1 next, and then the id of its parent in the same form.
CREATE TABLE write.created_posts AS
SELECT
    encode(substr(body, length_bytes.last + 3, 16), 'hex')::uuid AS id,
    encode(substr(body, length_bytes.last + 20, 16), 'hex')::uuid AS author_id,
    CASE get_byte(body, length_bytes.last + 35)
        WHEN 1 THEN encode(substr(body, length_bytes.last + 38, 16), 'hex')::uuid
    END AS reply_to
FROM write.events
CROSS JOIN LATERAL (
    SELECT min(n) AS last FROM generate_series(14, 23) AS n WHERE get_byte(body, n) < 128
) AS time_bytes
CROSS JOIN LATERAL (
    SELECT min(n) AS last FROM generate_series(time_bytes.last + 1, time_bytes.last + 5) AS n WHERE get_byte(body, n) < 128
) AS length_bytes
WHERE type = 'post.created';
CREATE INDEX created_posts_reply_to ON write.created_posts (reply_to);
ANALYZE write.created_posts;

ALTER TABLE write.posts
    ADD COLUMN root        uuid,        -- the post itself, if it is a root post
    ADD COLUMN root_author uuid;
WITH RECURSIVE threads AS (
    SELECT id, id AS root, author_id AS root_author FROM write.created_posts WHERE reply_to IS NULL
    UNION ALL
    SELECT c.id, t.root, t.root_author FROM threads t JOIN write.created_posts c ON c.reply_to = t.id
)
UPDATE write.posts p SET root = t.root, root_author = t.root_author FROM threads t WHERE p.id = t.id;
ALTER TABLE write.posts
    ALTER COLUMN root SET NOT NULL,
    ALTER COLUMN root_author SET NOT NULL;
DROP TABLE write.created_posts;

GRANT SELECT, INSERT, UPDATE, DELETE ON write.audiences, write.blocks TO feedmill_write;
