-- When accounts were members of conversations: they receive the messages of that time.

ALTER TABLE digest_members ADD COLUMN since uuid;   -- the messages after this id; NULL: all

-- Memberships that have ended: the messages after `since` and up to `until`.
CREATE TABLE digest_former_members (
    conversation uuid NOT NULL,
    until        uuid NOT NULL,
    member       uuid NOT NULL,
    since        uuid,
    PRIMARY KEY (conversation, until, member)
);
