-- Muted conversations. The total number of unread messages does not include theirs.

ALTER TABLE members ADD COLUMN muted boolean NOT NULL DEFAULT false;
CREATE INDEX members_unread_total ON members (user_id) INCLUDE (unread_count) WHERE unread_count > 0 AND NOT muted;
DROP INDEX members_unread;
