-- The number of a viewer's new connections on each day.

ALTER TABLE digest_days ADD COLUMN new_connections bigint NOT NULL DEFAULT 0;
