-- feed(viewer), post(id), replies(id), posts of a user, and the posts of a digest.

CREATE TABLE posts (
    id          uuid PRIMARY KEY,
    author      uuid        NOT NULL,
    reply_to    uuid,
    text        text        NOT NULL,
    like_count  bigint      NOT NULL DEFAULT 0,
    reply_count bigint      NOT NULL DEFAULT 0,
    created_at  timestamptz NOT NULL,
    -- A root post of somebody whom very many followed when it was made: in nobody's entries, and found through
    -- its author. The other root posts are pushed. Which it is never changes.
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

-- How many follow an author, if any do: decides whether a new post is pushed or pulled.
CREATE TABLE feed_followers (
    author    uuid   PRIMARY KEY,
    followers bigint NOT NULL
) WITH (fillfactor = 70);

-- The authors of pulled posts, and how many of those there are. Few, so that a reader soon knows that none of
-- them is followed.
CREATE TABLE pulled_authors (
    author uuid   PRIMARY KEY,
    posts  bigint NOT NULL
);

-- Who sees which pushed post, their own included: whole from the viewer's floor upwards, and nothing that is
-- below it counts. What is older is read from the authors.
CREATE TABLE feed_entries (
    viewer  uuid NOT NULL,
    post_id uuid NOT NULL,
    PRIMARY KEY (viewer, post_id)
);
-- A viewer without a row has no floor: all that is pushed to it is in feed_entries.
CREATE TABLE feed_floors (
    viewer uuid PRIMARY KEY,
    floor  uuid NOT NULL
);
