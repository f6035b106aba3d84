-- The lists likes(post), the accounts that like the post, and likes(viewer), the posts that the viewer likes; both latest first.

-- NULL in rows from before this migration. These likes are in neither list until the next rebuild.
ALTER TABLE likes ADD COLUMN liked_at timestamptz;
CREATE INDEX likes_of_post ON likes (post_id, liked_at, user_id);
CREATE INDEX likes_of_user_by_time ON likes (user_id, liked_at, post_id);
