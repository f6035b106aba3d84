-- New connections of a viewer.

ALTER TABLE digest_days ADD COLUMN new_connections bigint NOT NULL DEFAULT 0;
