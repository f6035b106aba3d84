-- Who projects, and what operators did.

-- The processes at work. Each renews its heartbeat by this server's clock; whose heartbeat is three seconds
-- old is dead, and the others share its partitions.
CREATE TABLE instances (
    id          uuid        PRIMARY KEY,    -- made anew by every process
    name        text        NOT NULL,       -- host:pid
    projections text[]      NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT now(),
    heartbeat   timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

-- Where the log was and when, about each second that it moved in the last hour. From it follows for how long
-- somebody is behind: the events' own times do not tell, since an import brings events of years ago.
CREATE TABLE heads_seen (
    at    timestamptz PRIMARY KEY,
    heads bigint[]    NOT NULL              -- of partition n at n + 1
);

-- What is paused now.
CREATE TABLE pauses (
    projection text        NOT NULL,
    partition  smallint    NOT NULL,        -- -1: the whole projection
    paused_by  text        NOT NULL,
    reason     text        NOT NULL,
    since      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (projection, partition)
);

-- What operators did. Only ever added to.
CREATE TABLE audit (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT now(),
    done_by    text        NOT NULL,
    action     text        NOT NULL,        -- pause, resume, skip …
    projection text        NOT NULL,
    partition  smallint,
    seq        bigint,                      -- the event that was skipped
    reason     text        NOT NULL,
    detail     text                         -- what it was about, such as the skipped event's error
);
