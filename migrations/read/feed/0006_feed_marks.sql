-- Up to where the viewer has read the feed. Unread posts are counted by the query: marks and posts are in different
-- partitions, so a stored count would depend on the order in which these are applied.

CREATE TABLE feed_marks (
    viewer uuid PRIMARY KEY,
    up_to  uuid NOT NULL
) WITH (fillfactor = 70);
