//! The posts that a viewer has bookmarked, and those that the viewer likes.

use chrono::{DateTime, Utc};
use feedmill_service::Database;
use uuid::Uuid;

use super::posts::{post, posts};
use crate::{
    seek::{Seek, TimeKey},
    views::Post,
};

/// The posts of the viewer's rows of `$table` that the viewer sees, each with the time in `$at`, latest first.
macro_rules! linked_posts {
    (
        $database:expr, $name:literal, $comment:tt, $table:tt, $at:tt,
        $viewer:expr, $seek:expr, $limit:expr
    ) => {{
        let (after, before) = $seek.latest_first();
        let rows = posts!(
            $comment
                + r#"
        WITH page AS (
            (
                SELECT post_id AS id, "#
                + $at
                + " AS at
                FROM "
                + $table
                + "
                WHERE user_id = $1 AND ("
                + $at
                + ", post_id) < ($2, $3) AND (
                    SELECT true
                    FROM posts
                    CROSS JOIN LATERAL visible($1, author, root, root_author) AS is_visible
                    WHERE posts.id = post_id
                )
                ORDER BY "
                + $at
                + " DESC, post_id DESC
                LIMIT $6
            ) UNION ALL (
                SELECT post_id, "
                + $at
                + "
                FROM "
                + $table
                + "
                WHERE user_id = $1 AND ("
                + $at
                + ", post_id) > ($4, $5) AND (
                    SELECT true
                    FROM posts
                    CROSS JOIN LATERAL visible($1, author, root, root_author) AS is_visible
                    WHERE posts.id = post_id
                )
                ORDER BY "
                + $at
                + ", post_id
                LIMIT $6
            )
        )",
            columns: r#"page.at AS "at!","#,
            order_by: "page.at DESC, page.id DESC",
            $viewer,
            after.0,
            after.1,
            before.0,
            before.1,
            $limit
        );
        let rows = $database.all($name, rows).await?.into_iter();
        Ok(rows.filter_map(|row| Some((row.at, post!(row)?))).collect())
    }};
}

/// The viewer's bookmarks, and when each was made.
pub async fn bookmarks(
    database: &Database,
    viewer: Uuid,
    seek: Seek<TimeKey>,
    limit: i64,
) -> sqlx::Result<Vec<(DateTime<Utc>, Post)>> {
    linked_posts!(
        database,
        "post.bookmarks",
        "/* post.bookmarks */",
        "bookmarks",
        "bookmarked_at",
        viewer,
        seek,
        limit
    )
}

/// The posts that the viewer likes, and since when.
pub async fn likes(
    database: &Database,
    viewer: Uuid,
    seek: Seek<TimeKey>,
    limit: i64,
) -> sqlx::Result<Vec<(DateTime<Utc>, Post)>> {
    linked_posts!(
        database,
        "like.of_viewer",
        "/* like.of_viewer */",
        "likes",
        "liked_at",
        viewer,
        seek,
        limit
    )
}
