-- mutes(viewer): latest first.

CREATE TABLE mutes (
    muted    uuid        NOT NULL,
    muter    uuid        NOT NULL,
    muted_at timestamptz NOT NULL,
    PRIMARY KEY (muted, muter)
);
CREATE INDEX mutes_of_muter ON mutes (muter, muted_at, muted);

-- Whether the viewer mutes the author, in rows of viewers who do not follow the author, too.
ALTER TABLE feed_follows ADD COLUMN muted boolean NOT NULL DEFAULT false;

-- Whose posts come to whose feed.
CREATE VIEW feed_sources AS SELECT author, viewer FROM feed_follows WHERE links > 0 AND NOT muted;
