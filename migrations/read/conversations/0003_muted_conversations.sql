-- Muted conversations, which the number of all unread messages leaves out. After an upgrade, no conversation is muted until the
-- next rebuild that finds a command that mutes one.

ALTER TABLE members ADD COLUMN muted boolean NOT NULL DEFAULT false;
CREATE INDEX members_unread_total ON members (user_id) INCLUDE (unread_count) WHERE unread_count > 0 AND NOT muted;
DROP INDEX members_unread;
