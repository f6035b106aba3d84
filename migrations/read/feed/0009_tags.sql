-- Audience tags and their members.

CREATE TABLE tags (
    id      uuid PRIMARY KEY,
    owner   uuid   NOT NULL,
    name    text   NOT NULL,
    members bigint NOT NULL DEFAULT 0
);
CREATE INDEX tags_of_owner ON tags (owner, id);

CREATE TABLE tag_members (
    tag      uuid        NOT NULL,
    member   uuid        NOT NULL,
    added_at timestamptz NOT NULL,
    PRIMARY KEY (tag, member)
);
CREATE INDEX tag_members_of_tag ON tag_members (tag, added_at, member);
