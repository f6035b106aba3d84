-- The list mutes(viewer), latest first.

CREATE TABLE mutes (
    muted    uuid        NOT NULL,
    muter    uuid        NOT NULL,
    muted_at timestamptz NOT NULL,
    PRIMARY KEY (muted, muter)
);
CREATE INDEX mutes_of_muter ON mutes (muter, muted_at, muted);

-- Whether the viewer mutes the author. A viewer who mutes has a row even without a follow or a connection.
ALTER TABLE feed_follows ADD COLUMN muted boolean NOT NULL DEFAULT false;

-- The authors whose posts come to a viewer's feed.
CREATE VIEW feed_sources AS SELECT author, viewer FROM feed_follows WHERE links > 0 AND NOT muted;
