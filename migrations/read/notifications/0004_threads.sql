-- Replies in threads of others: the viewer may cease to see such a thread, so these notifications are checked when they are read.

ALTER TABLE notifications ADD COLUMN own_thread boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN notifications.own_thread IS 'A reply in a thread whose root post is the viewer''s';
CREATE INDEX notifications_elsewhere ON notifications (viewer, id) WHERE reply IS NOT NULL AND NOT own_thread;
