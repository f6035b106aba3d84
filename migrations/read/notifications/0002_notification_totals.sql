-- The number of each viewer's notifications, added to by events of all partitions. After an upgrade, what an older
-- projector applies at the same time is missing until the next rebuild.

CREATE TABLE notification_totals (
    viewer uuid   PRIMARY KEY,
    total  bigint NOT NULL              -- never 0
) WITH (fillfactor = 70);
INSERT INTO notification_totals SELECT viewer, count(*) FROM notifications GROUP BY viewer;
