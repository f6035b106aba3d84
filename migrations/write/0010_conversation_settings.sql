-- What members set in a conversation for themselves, new titles of groups, and who comes into a group and leaves it.

ALTER TABLE write.members
    ADD COLUMN muted   boolean NOT NULL DEFAULT false,
    ADD COLUMN since   uuid,            -- a later member's: the messages after this id are for them
    ADD COLUMN left_at uuid;            -- who has left keeps a row, for what follows from it

GRANT UPDATE ON write.conversations TO feedmill_write;
