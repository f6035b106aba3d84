-- The projector's own books. Table names are given without a schema: search_path chooses.

-- Which generation of a projection's tables is live. A rebuild makes the next one beside it.
CREATE TABLE projections (
    name       text    PRIMARY KEY,
    generation integer NOT NULL DEFAULT 1
);

-- How far a generation is. Moved only by compare-and-set, in the transaction that applies the events.
CREATE TABLE checkpoints (
    projection text        NOT NULL,
    generation integer     NOT NULL,
    partition  smallint    NOT NULL,
    seq        bigint      NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (projection, generation, partition)
) WITH (fillfactor = 50);

-- A partition that stands still, and the event that stopped it.
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

-- Which files of migrations/read are in which schema.
CREATE TABLE laid_migrations (
    schema  text        NOT NULL,
    name    text        NOT NULL,
    laid_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (schema, name)
);
