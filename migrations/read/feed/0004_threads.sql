-- The thread of each post, and ancestors(post): from the root down to the post that it answers.

-- The first post of the thread and its author, also after that post is deleted. A root post is its own root. NULL in the
-- rows from before this file, and in replies to these, until the next rebuild.
ALTER TABLE posts ADD COLUMN root uuid;
ALTER TABLE posts ADD COLUMN root_author uuid;

-- Deleted replies: the chain of the ancestors of a post goes on through them. It ends at a deleted root, which therefore
-- needs no row. Replies that were deleted before this file are missing until the next rebuild.
CREATE TABLE deleted_replies (
    id       uuid PRIMARY KEY,
    reply_to uuid NOT NULL
);
