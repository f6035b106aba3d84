-- The thread of each post, and the list ancestors(post), from the root down to the parent.

-- The root post of the thread and its author. They stay when the root is deleted. A root post is its own root. NULL in rows from
-- before this migration and in replies to these, until the next rebuild.
ALTER TABLE posts ADD COLUMN root uuid;
ALTER TABLE posts ADD COLUMN root_author uuid;

-- Deleted replies, through which the chain of a post's ancestors continues. A deleted root needs no row, because the chain ends
-- there. Replies that were deleted before this migration are missing until the next rebuild.
CREATE TABLE deleted_replies (
    id       uuid PRIMARY KEY,
    reply_to uuid NOT NULL
);
