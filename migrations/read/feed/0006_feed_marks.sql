-- The mark up to which each viewer has read the feed. The query counts the unread posts. A stored count would depend on the order
-- in which partitions are applied, because marks and posts are in different ones.

CREATE TABLE feed_marks (
    viewer uuid PRIMARY KEY,
    up_to  uuid NOT NULL
) WITH (fillfactor = 70);
