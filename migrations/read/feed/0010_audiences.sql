-- Who sees which posts: audiences, blocks, and the predicate `visible`. After an upgrade, rebuild the projection before an audience
-- is set: replies from before 0004_threads have no root.

-- Of a root post: 0 public, 1 connections, 2 tags, 3 nobody else. A reply has the audience of its thread, and 0 here.
ALTER TABLE posts
    ADD COLUMN audience smallint NOT NULL DEFAULT 0,
    ADD COLUMN limited  boolean  NOT NULL DEFAULT false;    -- a root post whose thread has a row in audiences

-- The threads that are not public, or were not once. The row of a thread stays when its root post is deleted, for the replies.
CREATE TABLE audiences (
    root     uuid PRIMARY KEY,
    author   uuid     NOT NULL,
    audience smallint NOT NULL,         -- as in posts
    tags     uuid[]   NOT NULL          -- also deleted ones; empty unless the audience is 2
);

-- The root posts that are shared with a tag. For reading them in order without those that are shared with other tags.
CREATE TABLE tag_posts (
    tag    uuid    NOT NULL,
    pulled boolean NOT NULL,            -- as in posts
    post   uuid    NOT NULL,
    PRIMARY KEY (tag, pulled, post)
);
CREATE INDEX tag_members_of_member ON tag_members (member, tag);

-- The root posts of an author by audience. It replaces two indexes that had all audiences together.
CREATE INDEX posts_roots ON posts (author, pulled, audience, id) WHERE reply_to IS NULL;
DROP INDEX posts_pushed, posts_pulled;
CREATE INDEX posts_of_thread ON posts (root);

-- What is between the author and the viewer of a row besides follows and mutes. All of it is in the author's partition.
ALTER TABLE feed_follows
    ADD COLUMN connected boolean NOT NULL DEFAULT false,
    ADD COLUMN blocks    boolean NOT NULL DEFAULT false,    -- the author blocks the viewer
    ADD COLUMN blocked   boolean NOT NULL DEFAULT false;    -- the viewer blocks the author

CREATE INDEX feed_follows_blocked ON feed_follows (viewer, author) WHERE blocks OR blocked;

-- The list blocks(viewer), latest first.
CREATE TABLE blocks (
    blocked    uuid        NOT NULL,
    blocker    uuid        NOT NULL,
    blocked_at timestamptz NOT NULL,
    PRIMARY KEY (blocked, blocker)
);
CREATE INDEX blocks_of_blocker ON blocks (blocker, blocked_at, blocked);

-- The number of each author's posts in public threads, replies included. An author without any has no row.
CREATE TABLE post_counts (
    author uuid   PRIMARY KEY,
    posts  bigint NOT NULL
) WITH (fillfactor = 70);

-- Whether the post is limited. The entries of limited posts are checked when a feed is read.
ALTER TABLE feed_entries ADD COLUMN limited boolean NOT NULL DEFAULT false;
ALTER TABLE feed_entries DROP CONSTRAINT feed_entries_pkey, ADD PRIMARY KEY (viewer, post_id) INCLUDE (limited);

-- Every two accounts with a block between them, in both orders.
CREATE VIEW blocked_pairs AS SELECT author AS account, viewer AS other FROM feed_follows WHERE blocks OR blocked;

CREATE VIEW connected_pairs AS SELECT author AS account, viewer AS other FROM feed_follows WHERE connected;

-- A row if the viewer sees a post of the author in the thread of the root. PostgreSQL inlines the function into the statements that
-- join it.
CREATE FUNCTION visible(viewer uuid, author uuid, root uuid, root_author uuid) RETURNS SETOF boolean LANGUAGE sql STABLE AS $$
    SELECT true
    WHERE $2 = $1
        OR NOT EXISTS (SELECT FROM blocked_pairs WHERE account = $2 AND other = $1)
        AND (
            $4 = $1
            OR ($4 = $2 OR NOT EXISTS (SELECT FROM blocked_pairs WHERE account = $4 AND other = $1))
            AND NOT EXISTS (
                SELECT
                FROM audiences a
                WHERE a.root = $3 AND NOT CASE a.audience
                    WHEN 0 THEN true
                    -- Not EXISTS: PostgreSQL may hash all connections of the viewer for it.
                    WHEN 1 THEN coalesce((SELECT true FROM connected_pairs WHERE account = a.author AND other = $1), false)
                    -- LIMIT: otherwise PostgreSQL may read all memberships of the viewer.
                    WHEN 2 THEN EXISTS (
                        SELECT
                        FROM unnest(a.tags) AS shared (tag)
                        CROSS JOIN LATERAL (
                            SELECT FROM tag_members WHERE tag = shared.tag AND member = $1 LIMIT 1
                        ) AS membership
                    )
                    ELSE false
                END
            )
        )
$$;

-- The authors whose posts come to a viewer's feed.
CREATE OR REPLACE VIEW feed_sources AS SELECT author, viewer, connected FROM feed_follows WHERE links > 0 AND NOT muted;

-- Which of their root posts the viewer sees: those of an audience, or those that are shared with a tag.
CREATE VIEW feed_lanes AS
SELECT viewer, author, 0::smallint AS audience, NULL::uuid AS tag FROM feed_sources
UNION ALL
SELECT viewer, author, 1::smallint, NULL FROM feed_sources WHERE connected
UNION ALL
SELECT m.member, t.owner, 2::smallint, m.tag
FROM tag_members m
-- LIMIT: otherwise PostgreSQL may read all tags.
CROSS JOIN LATERAL (SELECT owner FROM tags WHERE id = m.tag LIMIT 1) AS t
CROSS JOIN LATERAL (SELECT FROM feed_sources WHERE author = t.owner AND viewer = m.member LIMIT 1) AS s;

-- A row if the viewer sees a limited root post.
CREATE FUNCTION visible_root(viewer uuid, root uuid) RETURNS SETOF boolean LANGUAGE sql STABLE AS $$
    SELECT true FROM audiences a CROSS JOIN LATERAL visible($1, a.author, a.root, a.author) AS is_visible WHERE a.root = $2
$$;

-- The newest posts of a lane before an id: pushed or pulled ones. A post that is shared with two tags is in two lanes.
CREATE FUNCTION lane_before(author uuid, audience smallint, tag uuid, pulled boolean, before uuid, count bigint)
RETURNS SETOF uuid LANGUAGE sql STABLE AS $$
    (
        SELECT p.id FROM posts p
        WHERE $3 IS NULL AND p.author = $1 AND p.pulled = $4 AND p.audience = $2 AND p.reply_to IS NULL AND p.id < $5
        ORDER BY p.id DESC LIMIT $6
    ) UNION ALL (
        SELECT t.post FROM tag_posts t WHERE t.tag = $3 AND t.pulled = $4 AND t.post < $5 ORDER BY t.post DESC LIMIT $6
    )
$$;

-- The oldest posts of a lane between two ids.
CREATE FUNCTION lane_after(author uuid, audience smallint, tag uuid, pulled boolean, after uuid, before uuid, count bigint)
RETURNS SETOF uuid LANGUAGE sql STABLE AS $$
    (
        SELECT p.id FROM posts p
        WHERE $3 IS NULL AND p.author = $1 AND p.pulled = $4 AND p.audience = $2 AND p.reply_to IS NULL
            AND p.id > $5 AND p.id < $6
        ORDER BY p.id LIMIT $7
    ) UNION ALL (
        SELECT t.post FROM tag_posts t WHERE t.tag = $3 AND t.pulled = $4 AND t.post > $5 AND t.post < $6
        ORDER BY t.post LIMIT $7
    )
$$;

-- The lanes of an author's posts that the viewer sees; all of them for the author.
CREATE FUNCTION author_lanes(viewer uuid, author uuid) RETURNS TABLE (audience smallint, tag uuid) LANGUAGE sql STABLE AS $$
    SELECT lane.audience, lane.tag
    FROM (
        SELECT 0::smallint AS audience, NULL::uuid AS tag
        UNION ALL
        SELECT 1::smallint, NULL WHERE $1 = $2 OR (SELECT true FROM connected_pairs WHERE account = $2 AND other = $1)
        UNION ALL
        SELECT own.audience, NULL FROM unnest('{2,3}'::smallint[]) AS own (audience) WHERE $1 = $2
        UNION ALL
        SELECT 2::smallint, t.id FROM tags t
        WHERE t.owner = $2 AND (SELECT true FROM tag_members m WHERE m.tag = t.id AND m.member = $1)
    ) AS lane
    WHERE (SELECT true FROM blocked_pairs WHERE account = $2 AND other = $1) IS NULL
$$;

CREATE INDEX posts_replies_of_author ON posts (author, id) WHERE reply_to IS NOT NULL;

-- The newest posts of an author before an id that the viewer sees. Root posts are read by lane. Replies, which are in threads of
-- anybody, are checked one by one.
CREATE FUNCTION posts_before(viewer uuid, author uuid, before uuid, count bigint) RETURNS SETOF uuid LANGUAGE sql STABLE AS $$
    SELECT DISTINCT listed.id
    FROM (
        SELECT root.id
        FROM author_lanes($1, $2) AS lane
        CROSS JOIN (VALUES (false), (true)) AS kind (pulled)
        CROSS JOIN LATERAL lane_before($2, lane.audience, lane.tag, kind.pulled, $3, $4) AS root (id)
        UNION ALL
        (
            SELECT p.id FROM posts p
            WHERE p.author = $2 AND p.reply_to IS NOT NULL AND p.id < $3
                AND (SELECT true FROM visible($1, p.author, p.root, p.root_author))
            ORDER BY p.id DESC LIMIT $4
        )
    ) AS listed
    ORDER BY listed.id DESC LIMIT $4
$$;

-- The oldest ones after an id.
CREATE FUNCTION posts_after(viewer uuid, author uuid, after uuid, count bigint) RETURNS SETOF uuid LANGUAGE sql STABLE AS $$
    SELECT DISTINCT listed.id
    FROM (
        SELECT root.id
        FROM author_lanes($1, $2) AS lane
        CROSS JOIN (VALUES (false), (true)) AS kind (pulled)
        CROSS JOIN LATERAL lane_after(
            $2, lane.audience, lane.tag, kind.pulled, $3, 'ffffffff-ffff-ffff-ffff-ffffffffffff', $4
        ) AS root (id)
        UNION ALL
        (
            SELECT p.id FROM posts p
            WHERE p.author = $2 AND p.reply_to IS NOT NULL AND p.id > $3
                AND (SELECT true FROM visible($1, p.author, p.root, p.root_author))
            ORDER BY p.id LIMIT $4
        )
    ) AS listed
    ORDER BY listed.id LIMIT $4
$$;
