-- Feeds, posts, replies, the posts of an author, and the posts of a digest.

CREATE TABLE posts (
    id          uuid PRIMARY KEY,
    author      uuid        NOT NULL,
    reply_to    uuid,
    text        text        NOT NULL,
    like_count  bigint      NOT NULL DEFAULT 0,
    reply_count bigint      NOT NULL DEFAULT 0,
    created_at  timestamptz NOT NULL,
    -- A root post whose author had more than FANOUT_MAX_FOLLOWERS followers when it was created. It has no feed
    -- entries; readers find it by its author. All other root posts are pushed. The value never changes.
    pulled      boolean     NOT NULL DEFAULT false
) WITH (fillfactor = 80);
CREATE INDEX posts_of_author ON posts (author, id);
CREATE INDEX posts_pushed ON posts (author, id) WHERE reply_to IS NULL AND NOT pulled;
CREATE INDEX posts_pulled ON posts (author, id) WHERE pulled;
CREATE INDEX posts_replies ON posts (reply_to, id) WHERE reply_to IS NOT NULL;

CREATE TABLE likes (
    post_id uuid NOT NULL,
    user_id uuid NOT NULL,
    PRIMARY KEY (post_id, user_id)
);
CREATE INDEX likes_of_user ON likes (user_id, post_id);

CREATE TABLE feed_follows (
    author uuid NOT NULL,
    viewer uuid NOT NULL,
    PRIMARY KEY (author, viewer)
);
CREATE INDEX feed_follows_of_viewer ON feed_follows (viewer, author);

-- The number of followers of an author with followers. Decides whether a new post is pushed or pulled.
CREATE TABLE feed_followers (
    author    uuid   PRIMARY KEY,
    followers bigint NOT NULL
) WITH (fillfactor = 70);

-- The authors of pulled posts, with the number of these posts. They are few, so it is cheap to find those that a
-- viewer follows.
CREATE TABLE pulled_authors (
    author uuid   PRIMARY KEY,
    posts  bigint NOT NULL
);

-- The pushed posts in each viewer's feed, including the viewer's own. Complete at and above the viewer's floor; rows
-- below it are ignored. Older posts are read from the authors' posts.
CREATE TABLE feed_entries (
    viewer  uuid NOT NULL,
    post_id uuid NOT NULL,
    PRIMARY KEY (viewer, post_id)
);
-- A viewer without a row has no floor: feed_entries has all pushed posts of the feed.
CREATE TABLE feed_floors (
    viewer uuid PRIMARY KEY,
    floor  uuid NOT NULL
);
