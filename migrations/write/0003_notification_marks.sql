-- Up to where each account has read its notifications. A table of its own and not a column of
-- write.accounts, so that what is read often is not rewritten with it.

CREATE TABLE write.notification_marks (
    user_id uuid PRIMARY KEY,
    up_to   uuid NOT NULL
);

-- 0002_roles gave rights to the tables of then.
GRANT SELECT, INSERT, UPDATE, DELETE ON write.notification_marks TO feedmill_write;
