-- profile(user), followers and following.

CREATE TABLE accounts (
    id           uuid PRIMARY KEY,
    handle       text        NOT NULL,
    display_name text        NOT NULL,
    bio          text        NOT NULL,
    created_at   timestamptz NOT NULL
);
-- Not unique: when a handle passes from one account to another, the two events are in two partitions, and
-- for a moment both may have it here.
CREATE INDEX accounts_handle ON accounts (handle);

-- Apart from accounts: an account's counts move in other partitions than its own, and may come before it.
CREATE TABLE account_counts (
    account   uuid PRIMARY KEY,
    followers bigint NOT NULL,
    following bigint NOT NULL,
    posts     bigint NOT NULL           -- replies included
) WITH (fillfactor = 70);

CREATE TABLE follows (
    followee    uuid        NOT NULL,
    follower    uuid        NOT NULL,
    followed_at timestamptz NOT NULL,
    PRIMARY KEY (followee, follower)
);
CREATE INDEX follows_of_followee ON follows (followee, followed_at, follower);
CREATE INDEX follows_of_follower ON follows (follower, followed_at, followee);
