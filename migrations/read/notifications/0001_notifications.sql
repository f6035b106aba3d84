-- notifications(viewer).

-- Who followed the viewer, liked a post of theirs or replied to one. What it is shows in what it names:
-- without a post a follow, without a reply a like of the post, else a reply to it. Texts are in the feed's
-- tables.
CREATE TABLE notifications (
    viewer uuid NOT NULL,
    id     uuid NOT NULL,               -- of the act: its time, and a hash of who did what to which
    actor  uuid NOT NULL,
    post   uuid,                        -- the viewer's
    reply  uuid,                        -- the actor's
    PRIMARY KEY (viewer, id)
);
CREATE INDEX notifications_of_post ON notifications (post) WHERE post IS NOT NULL;

-- Up to where the viewer has read. What is unread is counted when it is asked for: marks and acts come in
-- different partitions, and a count that both moved would depend on their order.
CREATE TABLE notification_marks (
    viewer uuid PRIMARY KEY,
    up_to  uuid NOT NULL
) WITH (fillfactor = 70);
