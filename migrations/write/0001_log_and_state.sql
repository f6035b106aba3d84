-- The event log, and the state that decisions are made on.
--
-- The state tables are an inline projection of the log: they change only by the events that the same
-- transaction appends. They hold what a decision needs and no more (no texts, no counts).
-- There are no foreign keys: every row is written under the lock of its partition, by code that has
-- just read what it refers to.

CREATE SCHEMA write;

-- The heads of the log. A transaction locks the rows of the partitions that it may append to before it
-- reads any state, so a partition's decisions, its sequence numbers and its commits are in one order.
CREATE TABLE write.partitions (
    id   smallint PRIMARY KEY CHECK (id BETWEEN 0 AND 63),
    head bigint   NOT NULL DEFAULT 0
) WITH (fillfactor = 10);
INSERT INTO write.partitions (id) SELECT generate_series(0, 63);

CREATE TABLE write.events (
    partition smallint    NOT NULL,
    seq       bigint      NOT NULL CHECK (seq > 0),
    type      text        NOT NULL,
    at        timestamptz NOT NULL,
    trace     text,                     -- W3C traceparent of the request that caused it
    body      bytea       NOT NULL,     -- the envelope, as it is published to JetStream
    PRIMARY KEY (partition, seq)
);

CREATE TABLE write.accounts (
    id            uuid PRIMARY KEY,
    handle        text        NOT NULL CONSTRAINT accounts_handle_key UNIQUE,   -- lower case
    display_name  text        NOT NULL,
    bio           text        NOT NULL DEFAULT '',
    created_at    timestamptz NOT NULL
);

-- Apart from the account, so that nothing which reads accounts ever holds a hash.
CREATE TABLE write.passwords (
    account_id uuid PRIMARY KEY,
    hash       text NOT NULL            -- PHC string, argon2id
);

-- A session is a family of refresh tokens, of which only the one of this generation is good.
CREATE TABLE write.sessions (
    id         uuid PRIMARY KEY,
    account_id uuid        NOT NULL,
    generation integer     NOT NULL,
    expires_at timestamptz NOT NULL,
    ended      boolean     NOT NULL DEFAULT false
);
CREATE INDEX sessions_expiry ON write.sessions (expires_at);

CREATE TABLE write.posts (
    id              uuid PRIMARY KEY,   -- a deleted post has no row
    author_id       uuid NOT NULL,
    reply_to        uuid,
    reply_to_author uuid
);

CREATE TABLE write.likes (
    post_id  uuid        NOT NULL,
    user_id  uuid        NOT NULL,
    liked_at timestamptz NOT NULL,
    PRIMARY KEY (post_id, user_id)
);

CREATE TABLE write.follows (
    followee_id uuid        NOT NULL,
    follower_id uuid        NOT NULL,
    followed_at timestamptz NOT NULL,
    PRIMARY KEY (followee_id, follower_id)
);

CREATE TABLE write.conversations (
    id       uuid PRIMARY KEY,
    title    text,
    pair_low  uuid,                     -- the two members of a conversation of two, in order
    pair_high uuid,
    created_at timestamptz NOT NULL,
    CONSTRAINT conversations_pair_key UNIQUE (pair_low, pair_high)
);

CREATE TABLE write.members (
    conversation_id uuid NOT NULL,
    user_id         uuid NOT NULL,
    read_up_to      uuid,
    PRIMARY KEY (conversation_id, user_id)
);

CREATE TABLE write.messages (
    conversation_id uuid NOT NULL,
    id              uuid NOT NULL,
    PRIMARY KEY (conversation_id, id)
);

-- The first answer to a command that carried an Idempotency-Key.
CREATE TABLE write.idempotency (
    account_id  uuid        NOT NULL,   -- nil for commands without an account
    key         text        NOT NULL,
    fingerprint bytea       NOT NULL,   -- HMAC-SHA-256 of method, path and body
    answer      jsonb       NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT idempotency_pkey PRIMARY KEY (account_id, key)
);
CREATE INDEX idempotency_created_at ON write.idempotency (created_at);

-- Which records an import has brought, so that it leaves them alone when it runs again.
CREATE TABLE write.imported (
    kind   text NOT NULL,               -- the record's type
    record text NOT NULL,               -- its own id, or for a link both ends and its time
    id     uuid,                        -- what it is called here; NULL for a link
    PRIMARY KEY (kind, record)
);
