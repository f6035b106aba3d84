-- One table for all kinds of links: an account likes a post, an account follows an account.
--
-- It replaces write.likes and write.follows, which an older write-api writes to: stop all instances before this
-- migration, and start the new version after it.

-- 0002_roles granted rights on the tables of its time. Tables from here on get theirs when they are created.
ALTER DEFAULT PRIVILEGES IN SCHEMA write GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO feedmill_write;

-- The primary key begins with the target, so that deleting a target finds its links of all kinds.
CREATE TABLE write.links (
    target_id  uuid        NOT NULL,
    kind       smallint    NOT NULL,
    account_id uuid        NOT NULL,
    since      timestamptz NOT NULL,
    CONSTRAINT links_pkey PRIMARY KEY (target_id, kind, account_id)
);
COMMENT ON COLUMN write.links.kind IS 'A number of LinkKind in write-api/src/domain/link/kind.rs: 1 like, 2 follow, ...';

INSERT INTO write.links (target_id, kind, account_id, since)
SELECT post_id, 1, user_id, liked_at FROM write.likes
UNION ALL
SELECT followee_id, 2, follower_id, followed_at FROM write.follows
ORDER BY 1, 2, 3;

DROP TABLE write.likes, write.follows;
