-- The mark up to which each account has read its feed. It has its own table for the reason given in 0003_notification_marks.

CREATE TABLE write.feed_marks (
    user_id uuid PRIMARY KEY,
    up_to   uuid NOT NULL
);

GRANT SELECT, INSERT, UPDATE ON write.feed_marks TO feedmill_write;
