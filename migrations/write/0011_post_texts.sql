-- The hash of each post's text, which tells whether an edit changes it. The texts themselves are in the log.
--
-- Tolerated by the version before, which leaves it NULL: then every edit of the post counts as a change.

ALTER TABLE write.posts ADD COLUMN text_hash bytea;

-- An edit changes the hash.
GRANT UPDATE ON write.posts TO feedmill_write;
