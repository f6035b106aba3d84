-- Connections deliver posts to feeds, as follows do.

-- How many follows (0 or 1) and connections (0 or 1) together deliver the author's posts to the viewer of the row.
ALTER TABLE feed_follows ADD COLUMN links smallint NOT NULL DEFAULT 1;

COMMENT ON COLUMN feed_followers.followers IS 'Followers and connections; an account that is both counts twice';
