-- Accounts, their counts, followers and followees.

CREATE TABLE accounts (
    id           uuid PRIMARY KEY,
    handle       text        NOT NULL,
    display_name text        NOT NULL,
    bio          text        NOT NULL,
    created_at   timestamptz NOT NULL
);
-- Not unique: when a handle passes from one account to another, the two events are in different partitions, so both
-- accounts may have it for a moment.
CREATE INDEX accounts_handle ON accounts (handle);

-- Separate from accounts: events of other partitions change an account's counts, and may be applied before the account
-- is created.
CREATE TABLE account_counts (
    account   uuid PRIMARY KEY,
    followers bigint NOT NULL,
    following bigint NOT NULL
) WITH (fillfactor = 70);

CREATE TABLE follows (
    followee    uuid        NOT NULL,
    follower    uuid        NOT NULL,
    followed_at timestamptz NOT NULL,
    PRIMARY KEY (followee, follower)
);
CREATE INDEX follows_of_followee ON follows (followee, followed_at, follower);
CREATE INDEX follows_of_follower ON follows (follower, followed_at, followee);
