-- The settings of a member of a conversation, later members of groups and members who have left, and the sender of each message,
-- who can delete it.
--
-- An older write-api does not say who sends a message: stop all instances before this migration, and start the new version after
-- it.

ALTER TABLE write.members
    ADD COLUMN muted   boolean NOT NULL DEFAULT false,
    ADD COLUMN since   uuid,            -- a later member's: the messages after this id are for them
    ADD COLUMN left_at uuid;            -- who has left keeps a row, for what follows from it

-- The senders of the messages so far, from the log. An envelope begins with the length of the type's name, the name and the
-- version: 27 bytes. The time and the length of the payload follow, both in bytes of which only the last one is below 128. The
-- payload begins with the ids of conversation, message and sender, each after a byte with its length.
ALTER TABLE write.messages ADD COLUMN sender_id uuid;
UPDATE write.messages m SET sender_id = encode(substr(body, length_bytes.last + 37, 16), 'hex')::uuid
FROM write.events
CROSS JOIN LATERAL (
    SELECT min(n) AS last FROM generate_series(27, 36) AS n WHERE get_byte(body, n) < 128
) AS time_bytes
CROSS JOIN LATERAL (
    SELECT min(n) AS last FROM generate_series(time_bytes.last + 1, time_bytes.last + 5) AS n WHERE get_byte(body, n) < 128
) AS length_bytes
WHERE type = 'conversation.message_sent'
    AND m.conversation_id = encode(substr(body, length_bytes.last + 3, 16), 'hex')::uuid
    AND m.id = encode(substr(body, length_bytes.last + 20, 16), 'hex')::uuid;
ALTER TABLE write.messages ALTER COLUMN sender_id SET NOT NULL;

GRANT UPDATE ON write.conversations TO feedmill_write;
GRANT DELETE ON write.messages TO feedmill_write;
