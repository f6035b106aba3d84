-- What members set in a conversation for themselves, and new titles of groups.

ALTER TABLE write.members ADD COLUMN muted boolean NOT NULL DEFAULT false;

GRANT UPDATE ON write.conversations TO feedmill_write;
