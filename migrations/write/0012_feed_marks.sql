-- Up to where each account has read its feed. A table of its own for the reason of 0003_notification_marks.

CREATE TABLE write.feed_marks (
    user_id uuid PRIMARY KEY,
    up_to   uuid NOT NULL
);

GRANT SELECT, INSERT, UPDATE ON write.feed_marks TO feedmill_write;
