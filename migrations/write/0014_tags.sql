-- Audience tags and their members. The previous version can run with this migration.

CREATE TABLE write.tags (
    id       uuid PRIMARY KEY,
    owner_id uuid NOT NULL,
    name     text NOT NULL,
    -- Deferred, because a batch may give the old name of one tag to another, and updates the rows in any order.
    CONSTRAINT tags_name_key UNIQUE (owner_id, name) DEFERRABLE INITIALLY DEFERRED
);

CREATE TABLE write.tag_members (
    owner_id  uuid        NOT NULL,
    member_id uuid        NOT NULL,
    tag_id    uuid        NOT NULL,
    added_at  timestamptz NOT NULL,
    CONSTRAINT tag_members_pkey PRIMARY KEY (owner_id, member_id, tag_id)
);
CREATE INDEX tag_members_of_tag ON write.tag_members (tag_id);

GRANT SELECT, INSERT, UPDATE, DELETE ON write.tags TO feedmill_write;
GRANT SELECT, INSERT, UPDATE, DELETE ON write.tag_members TO feedmill_write;
