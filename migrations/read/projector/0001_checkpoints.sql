-- The control schema of the projector. Table names have no schema: search_path selects it.

-- The live generation of each projection. A rebuild fills the next one beside it.
CREATE TABLE projections (
    name       text    PRIMARY KEY,
    generation integer NOT NULL DEFAULT 1
);

-- How far a generation has applied the log. Moves only by compare-and-set, in the transaction that applies the events.
CREATE TABLE checkpoints (
    projection text        NOT NULL,
    generation integer     NOT NULL,
    partition  smallint    NOT NULL,
    seq        bigint      NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (projection, generation, partition)
) WITH (fillfactor = 50);

-- Blocked partitions, with the event that cannot be applied.
CREATE TABLE blocked (
    projection text        NOT NULL,
    generation integer     NOT NULL,
    partition  smallint    NOT NULL,
    seq        bigint      NOT NULL,
    attempts   integer     NOT NULL,
    error      text        NOT NULL,
    since      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (projection, generation, partition)
);

-- Which files of migrations/read have been applied to which schema.
CREATE TABLE laid_migrations (
    schema  text        NOT NULL,
    name    text        NOT NULL,
    laid_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (schema, name)
);
