-- The tables of the N+1 backend: normalised, with an index for every query. Filled with the current rows of Feedmill's
-- tables, with the same ids.

DROP SCHEMA IF EXISTS n_plus_one CASCADE;
CREATE SCHEMA n_plus_one;
SET search_path = n_plus_one;

CREATE TABLE accounts (
    id           uuid PRIMARY KEY,
    handle       text NOT NULL UNIQUE,
    display_name text NOT NULL
);
INSERT INTO accounts SELECT id, handle, display_name FROM profiles.accounts;

CREATE TABLE follows (
    follower   uuid        NOT NULL,
    followee   uuid        NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (follower, followee)
);
INSERT INTO follows SELECT account_id, target_id, since FROM write.links WHERE kind = 2 ORDER BY 1, 2;
CREATE INDEX ON follows (followee, created_at);

CREATE TABLE connections (
    account    uuid        NOT NULL,
    other      uuid        NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account, other)
);
INSERT INTO connections
SELECT low_id, high_id, connected_at FROM write.connections WHERE connected_at IS NOT NULL
UNION ALL
SELECT high_id, low_id, connected_at FROM write.connections WHERE connected_at IS NOT NULL
ORDER BY 1, 2;
CREATE INDEX ON connections (account, created_at);

CREATE TABLE tag_members (
    tag     uuid NOT NULL,
    account uuid NOT NULL,
    PRIMARY KEY (tag, account)
);
INSERT INTO tag_members SELECT tag_id, member_id FROM write.tag_members ORDER BY 1, 2;

CREATE TABLE posts (
    id         uuid PRIMARY KEY,
    author     uuid        NOT NULL,
    reply_to   uuid,
    text       text        NOT NULL,
    created_at timestamptz NOT NULL,
    audience   smallint    NOT NULL     -- 0: public, 1: the author's connections, 2: members of the post's tags, 3: the author
);
INSERT INTO posts SELECT id, author, reply_to, text, created_at, audience FROM feed.posts ORDER BY id;
CREATE INDEX ON posts (author, id);
CREATE INDEX ON posts (author, id) WHERE reply_to IS NULL;
CREATE INDEX ON posts (reply_to, id) WHERE reply_to IS NOT NULL;

CREATE TABLE post_tags (
    post uuid NOT NULL,
    tag  uuid NOT NULL,
    PRIMARY KEY (post, tag)
);
INSERT INTO post_tags SELECT root, unnest(tags) FROM feed.audiences ORDER BY 1, 2;

CREATE TABLE likes (
    post       uuid        NOT NULL,
    account    uuid        NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (post, account)
);
INSERT INTO likes SELECT target_id, account_id, since FROM write.links WHERE kind = 1 ORDER BY 1, 2;

CREATE TABLE conversations (
    id    uuid PRIMARY KEY,
    title text
);
INSERT INTO conversations SELECT id, title FROM conversations.conversations ORDER BY id;

CREATE TABLE members (
    conversation uuid NOT NULL,
    account      uuid NOT NULL,
    read_up_to   uuid,
    muted        boolean NOT NULL,
    PRIMARY KEY (conversation, account)
);
INSERT INTO members SELECT conversation, user_id, read_up_to, muted FROM conversations.members ORDER BY 1, 2;
CREATE INDEX ON members (account);

CREATE TABLE messages (
    id           uuid PRIMARY KEY,
    conversation uuid        NOT NULL,
    sender       uuid        NOT NULL,
    text         text        NOT NULL,
    created_at   timestamptz NOT NULL
);
INSERT INTO messages SELECT id, conversation, sender, text, created_at FROM conversations.messages ORDER BY id;
CREATE INDEX ON messages (conversation, id);

RESET search_path;
