-- A projection's next generation, while it is made in the schema <projection>_next. Its checkpoints are in
-- `checkpoints`, so a run that was killed goes on where the last commit left it.
CREATE TABLE rebuilds (
    projection text        PRIMARY KEY,
    generation integer     NOT NULL,
    phase      text        NOT NULL,        -- bulk, index, derive, follow
    made_by    text        NOT NULL,        -- the program and its tables; another one starts over
    indexes    text[]      NOT NULL,        -- definitions of those that are made after the bulk
    started_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
