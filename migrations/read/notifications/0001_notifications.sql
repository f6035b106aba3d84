-- Notifications of a viewer.

-- Who followed the viewer, liked one of the viewer's posts or replied to one. A row without a post is a follow, one
-- without a reply is a like, and all others are replies. Texts are in the feed's tables.
CREATE TABLE notifications (
    viewer uuid NOT NULL,
    id     uuid NOT NULL,               -- the time of the act and a hash of it
    actor  uuid NOT NULL,
    post   uuid,                        -- the viewer's
    reply  uuid,                        -- the actor's
    PRIMARY KEY (viewer, id)
);
CREATE INDEX notifications_of_post ON notifications (post) WHERE post IS NOT NULL;

-- Up to where the viewer has read. Unread notifications are counted by the query: marks and acts are in different
-- partitions, so a stored count would depend on the order in which these are applied.
CREATE TABLE notification_marks (
    viewer uuid PRIMARY KEY,
    up_to  uuid NOT NULL
) WITH (fillfactor = 70);
