-- Settings of members of conversations, members who join or leave groups, and the sender of each message, who can delete it.
--
-- An older write-api does not store the sender of a message. Stop all instances before this migration, and start the new version
-- after it.

ALTER TABLE write.members
    ADD COLUMN muted   boolean NOT NULL DEFAULT false,
    ADD COLUMN since   uuid,            -- the member sees the messages after this id; NULL: all
    ADD COLUMN left_at uuid;            -- an id with the time when the member left; NULL: is a member

-- Reads the senders of existing messages from the log. An envelope begins with the length of the type's name, the name and the
-- version: 27 bytes. The time and the length of the payload follow, both as varints, of which only the last byte is below 128.
-- The payload begins with the ids of conversation, message and sender, each after a byte with its length.
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
