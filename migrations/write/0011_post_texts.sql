-- The hash of each post's text, which tells whether an edit changes the text. The texts themselves are in the log.
--
-- The previous version can run with this migration. It leaves the hash NULL, and the first edit of such a post counts as a
-- change.

ALTER TABLE write.posts ADD COLUMN text_hash bytea;

-- An edit updates the hash.
GRANT UPDATE ON write.posts TO feedmill_write;
