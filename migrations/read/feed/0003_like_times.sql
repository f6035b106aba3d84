-- likes(post): who likes the post, latest first; likes(viewer): what the viewer likes, latest first.

-- NULL in the rows from before this file, which are in neither list until the next rebuild.
ALTER TABLE likes ADD COLUMN liked_at timestamptz;
CREATE INDEX likes_of_post ON likes (post_id, liked_at, user_id);
CREATE INDEX likes_of_user_by_time ON likes (user_id, liked_at, post_id);
