-- feed(viewer), post(id), replies(id), posts of a user, and the posts of a digest.

CREATE TABLE posts (
    id          uuid PRIMARY KEY,
    author      uuid        NOT NULL,
    reply_to    uuid,
    text        text        NOT NULL,
    like_count  bigint      NOT NULL DEFAULT 0,
    reply_count bigint      NOT NULL DEFAULT 0,
    created_at  timestamptz NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX posts_of_author ON posts (author, id);
CREATE INDEX posts_roots_of_author ON posts (author, id) WHERE reply_to IS NULL;
CREATE INDEX posts_replies ON posts (reply_to, id) WHERE reply_to IS NOT NULL;

CREATE TABLE likes (
    post_id uuid NOT NULL,
    user_id uuid NOT NULL,
    PRIMARY KEY (post_id, user_id)
);

CREATE TABLE feed_follows (
    author uuid NOT NULL,
    viewer uuid NOT NULL,
    PRIMARY KEY (author, viewer)
);
CREATE INDEX feed_follows_of_viewer ON feed_follows (viewer, author);

-- Who sees which root post, their own included: whole from the viewer's floor upwards, and nothing that is
-- below it counts. What is older is read from the authors.
CREATE TABLE feed_entries (
    viewer  uuid NOT NULL,
    post_id uuid NOT NULL,
    PRIMARY KEY (viewer, post_id)
);
-- A viewer without a row has no floor: the whole feed is in feed_entries.
CREATE TABLE feed_floors (
    viewer uuid PRIMARY KEY,
    floor  uuid NOT NULL
);
