-- With whom a root post is shared, in one value that its feed entries repeat: an entry is checked without reading the post. Stop all
-- older projectors and read-apis first: they use the columns `limited`, which this drops.

-- NULL: with everybody, always. An account: with itself and its connections. A tag: with its members. Nil: with those whom `audiences`
-- tells, because there are several tags or the thread is public again. The greatest uuid: with nobody else.
CREATE FUNCTION shared_with(author uuid, audience smallint, tags uuid[]) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE $2
        WHEN 0 THEN '00000000-0000-0000-0000-000000000000'
        WHEN 1 THEN $1
        WHEN 2 THEN CASE cardinality($3) WHEN 1 THEN $3[1] ELSE '00000000-0000-0000-0000-000000000000' END
        WHEN 3 THEN 'ffffffff-ffff-ffff-ffff-ffffffffffff'
    END
$$;

ALTER TABLE posts ADD COLUMN shared_with uuid;          -- NULL also for replies
UPDATE posts p SET shared_with = shared_with(a.author, a.audience, a.tags) FROM audiences a WHERE a.root = p.id;
ALTER TABLE posts DROP COLUMN limited;

ALTER TABLE feed_entries ADD COLUMN shared_with uuid;   -- as in posts; the viewer's own posts are shared with the viewer
UPDATE feed_entries e SET shared_with = CASE viewer WHEN p.author THEN viewer ELSE p.shared_with END
FROM posts p
WHERE (e.limited OR p.author = e.viewer) AND p.id = e.post_id;
ALTER TABLE feed_entries
    DROP CONSTRAINT feed_entries_pkey,
    DROP COLUMN limited,
    ADD PRIMARY KEY (viewer, post_id) INCLUDE (shared_with);

-- The entries whose `shared_with` is nil and that the viewer sees. PostgreSQL does not inline a function in PL/pgSQL, so the plan of
-- visible_root is not part of every statement that reads a feed. Few viewers have such entries.
CREATE FUNCTION looked_up_entries(viewer uuid) RETURNS SETOF uuid LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY SELECT e.post_id
    FROM feed_entries e
    WHERE e.viewer = $1 AND e.shared_with = '00000000-0000-0000-0000-000000000000'
        AND (SELECT true FROM visible_root($1, e.post_id));
END
$$;

-- The entries of a feed that the viewer sees. PostgreSQL inlines the function, and reads the viewer's connections and memberships once,
-- at the first entry that is not for everybody.
CREATE FUNCTION visible_entries(viewer uuid) RETURNS TABLE (post_id uuid, own boolean) LANGUAGE sql STABLE AS $$
    SELECT e.post_id, e.shared_with IS NOT DISTINCT FROM $1
    FROM feed_entries e
    WHERE e.viewer = $1 AND (
        e.shared_with IS NULL
        OR e.shared_with = $1
        OR e.shared_with IN (
            SELECT author FROM feed_sources WHERE viewer = $1 AND connected
            UNION ALL
            SELECT tag FROM tag_members WHERE member = $1
        )
        OR e.shared_with = '00000000-0000-0000-0000-000000000000' AND e.post_id IN (SELECT looked_up_entries($1))
    )
$$;

-- For the sources of a viewer and their lanes without the table.
DROP INDEX feed_follows_of_viewer;
CREATE INDEX feed_follows_of_viewer ON feed_follows (viewer, author) INCLUDE (links, muted, connected);

-- Streams look for edits among the newest posts of a feed.
CREATE INDEX posts_edited ON posts (id) INCLUDE (edited_at) WHERE edited_at IS NOT NULL;
