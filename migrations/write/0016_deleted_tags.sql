-- Deleted tags whose members are not deleted yet: there may be thousands of them, and no command waits for it. Stop all older write-apis
-- first. They do not know this table: when a connection ends, they append that its member is removed from such a tag, too, and
-- projections refuse the event, because there is no such member.

CREATE TABLE write.deleted_tags (
    id uuid PRIMARY KEY
);
GRANT SELECT, INSERT, DELETE ON write.deleted_tags TO feedmill_write;
