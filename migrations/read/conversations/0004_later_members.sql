-- Members who were added to a group later see only the messages after an id.

ALTER TABLE members
    ADD COLUMN since        uuid,                       -- NULL: all messages
    ADD COLUMN hidden_count bigint NOT NULL DEFAULT 0;  -- the messages that the member does not see
