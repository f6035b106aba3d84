-- Backups and restores, as operators report them. Each restore of PostgreSQL from a backup begins a new incarnation of the log: the sessions and
-- positions from before are refused (`write-api finish-restore`).
CREATE TABLE write.incarnations (
    began_at timestamptz PRIMARY KEY
);
GRANT SELECT ON write.incarnations TO feedmill_write, feedmill_read;

-- The last complete backup (`write-api backup-finished`).
CREATE TABLE write.backups (
    only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    finished_at timestamptz NOT NULL
);
GRANT SELECT ON write.backups TO feedmill_projector;
