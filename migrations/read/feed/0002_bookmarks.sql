-- bookmarks(viewer): latest first.

CREATE TABLE bookmarks (
    post_id       uuid        NOT NULL,
    user_id       uuid        NOT NULL,
    bookmarked_at timestamptz NOT NULL,
    PRIMARY KEY (post_id, user_id)
);
CREATE INDEX bookmarks_of_user ON bookmarks (user_id, bookmarked_at, post_id);
