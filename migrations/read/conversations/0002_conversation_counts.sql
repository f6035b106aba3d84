-- The number of each member's conversations, added to by events of all partitions. After an upgrade, a conversation that
-- an older projector adds at the same time is missing until the next rebuild.

CREATE TABLE conversation_counts (
    user_id       uuid   PRIMARY KEY,
    conversations bigint NOT NULL
) WITH (fillfactor = 70);
INSERT INTO conversation_counts SELECT user_id, count(*) FROM members GROUP BY user_id;
