-- Connection requests, and accepted requests.

ALTER TABLE notifications ADD COLUMN connection smallint;
COMMENT ON COLUMN notifications.connection IS
    '1: the actor asked the viewer for a connection; 2: the actor accepted the viewer''s request; NULL: everything else';
