-- The times of memberships in conversations. An account receives only the messages that were written while it was a member.

ALTER TABLE digest_members ADD COLUMN since uuid;   -- the member receives the messages after this id; NULL: all

-- Memberships that have ended. The member received the messages after `since` and up to `until`.
CREATE TABLE digest_former_members (
    conversation uuid NOT NULL,
    until        uuid NOT NULL,
    member       uuid NOT NULL,
    since        uuid,
    PRIMARY KEY (conversation, until, member)
);
