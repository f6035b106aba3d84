-- Connections deliver posts as follows do.

-- A row of feed_follows is an author and a viewer: the number of follows (0 or 1) and connections (0 or 1) of the two.
ALTER TABLE feed_follows ADD COLUMN links smallint NOT NULL DEFAULT 1;

COMMENT ON COLUMN feed_followers.followers IS 'Followers and connections; who is both counts twice';
