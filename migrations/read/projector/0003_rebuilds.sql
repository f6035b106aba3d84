-- Unfinished rebuilds, which fill the schema <projection>_next. Their progress is in `checkpoints`, so a rebuild that
-- was killed resumes after its last commit.
CREATE TABLE rebuilds (
    projection text        PRIMARY KEY,
    generation integer     NOT NULL,
    phase      text        NOT NULL,        -- bulk, index, derive, follow
    made_by    text        NOT NULL,        -- program version; another version starts over
    indexes    text[]      NOT NULL,        -- definitions, created after the bulk load
    started_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
