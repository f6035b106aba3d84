-- A member who was added to an existing group sees only the messages after an id.

ALTER TABLE members
    ADD COLUMN since        uuid,                       -- the member sees the messages after this id; NULL: all
    ADD COLUMN hidden_count bigint NOT NULL DEFAULT 0;  -- the number of messages that the member does not see
