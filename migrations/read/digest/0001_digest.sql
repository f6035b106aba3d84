-- The counters of a viewer's digest. The digest's posts are in the feed's tables.

CREATE TABLE digest_days (
    viewer            uuid   NOT NULL,
    day               date   NOT NULL,  -- UTC
    likes_received    bigint NOT NULL DEFAULT 0,
    replies_received  bigint NOT NULL DEFAULT 0,
    new_followers     bigint NOT NULL DEFAULT 0,
    messages_received bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (viewer, day)
) WITH (fillfactor = 70);

-- What an existing post received from others per day: subtracted from its author's days when the post is deleted.
CREATE TABLE digest_received (
    post_id uuid   NOT NULL,
    day     date   NOT NULL,
    author  uuid   NOT NULL,
    likes   bigint NOT NULL,
    replies bigint NOT NULL,
    PRIMARY KEY (post_id, day)
) WITH (fillfactor = 70);

CREATE TABLE digest_members (
    conversation uuid NOT NULL,
    member       uuid NOT NULL,
    PRIMARY KEY (conversation, member)
);
