-- Running instances, pauses, and the audit log.

-- Running processes. Each updates its heartbeat twice a second, by this server's clock. When a heartbeat is three
-- seconds old, the process is considered dead, and the others take over its partitions.
CREATE TABLE instances (
    id          uuid        PRIMARY KEY,    -- new in every process
    name        text        NOT NULL,       -- host:pid
    projections text[]      NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT now(),
    heartbeat   timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

-- The heads of the log over the last hour, at most one row per second. They tell how long a projection has been behind.
-- The events' own times do not, since an import adds events of past years.
CREATE TABLE heads_seen (
    at    timestamptz PRIMARY KEY,
    heads bigint[]    NOT NULL              -- that of partition n at index n + 1
);

-- Paused projections and partitions.
CREATE TABLE pauses (
    projection text        NOT NULL,
    partition  smallint    NOT NULL,        -- -1: the whole projection
    paused_by  text        NOT NULL,
    reason     text        NOT NULL,
    since      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (projection, partition)
);

-- What operators did. Rows are never changed or deleted.
CREATE TABLE audit (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT now(),
    done_by    text        NOT NULL,
    action     text        NOT NULL,        -- pause, resume, skip, cutover …
    projection text        NOT NULL,
    partition  smallint,
    seq        bigint,                      -- the event that was skipped
    reason     text        NOT NULL,
    detail     text                         -- details, such as the error of a skipped event
);
