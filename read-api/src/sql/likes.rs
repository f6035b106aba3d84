//! Likes: who likes a post, and what a viewer likes.

use chrono::{DateTime, Utc};
use feedmill_service::Database;
use uuid::Uuid;

use super::posts::{post, posts};
use crate::{
    seek::{Seek, TimeKey},
    views::{AccountSummary, Like, Post},
};

/// A page of the likes of a post.
pub struct ListedLikes {
    pub listed: Vec<Like>,
    /// All likes of the post, also those on other pages.
    pub total: i64,
}

/// Who likes the post, latest first, and within one moment the greater id first. None if there is no such post.
pub async fn of_post(
    database: &Database,
    post: Uuid,
    seek: Seek<TimeKey>,
    limit: i64,
) -> sqlx::Result<Option<ListedLikes>> {
    let (after, before) = seek.latest_first();
    let rows = sqlx::query!(
        r#"/* like.of_post */
        WITH liked AS (
            SELECT id, like_count FROM posts WHERE id = $1
        )
        SELECT
            liked.like_count AS "total!", page.id AS "id?", page.liked_at AS "liked_at?",
            account.handle AS "handle?", account.display_name AS "display_name?"
        FROM liked
        LEFT JOIN LATERAL (
            (
                SELECT user_id AS id, liked_at
                FROM likes
                WHERE post_id = liked.id AND (liked_at, user_id) < ($2, $3)
                ORDER BY liked_at DESC, user_id DESC
                LIMIT $6
            ) UNION ALL (
                SELECT user_id, liked_at
                FROM likes
                WHERE post_id = liked.id AND (liked_at, user_id) > ($4, $5)
                ORDER BY liked_at, user_id
                LIMIT $6
            )
        ) AS page ON true
        LEFT JOIN LATERAL (
            SELECT handle, display_name FROM accounts WHERE id = page.id LIMIT 1
        ) AS account ON true
        ORDER BY page.liked_at DESC, page.id DESC"#,
        post,
        after.0,
        after.1,
        before.0,
        before.1,
        limit
    );
    let rows = database.all("like.of_post", rows).await?;
    // A post without further likes is one row without an account.
    let Some(total) = rows.first().map(|row| row.total) else {
        return Ok(None);
    };
    let listed = rows.into_iter().filter_map(|row| {
        Some(Like {
            account: AccountSummary::from_columns(row.id?, row.handle, row.display_name),
            liked_at: row.liked_at?,
        })
    });
    Ok(Some(ListedLikes {
        listed: listed.collect(),
        total,
    }))
}

/// The posts that the viewer likes, and since when, latest first.
pub async fn of_viewer(
    database: &Database,
    viewer: Uuid,
    seek: Seek<TimeKey>,
    limit: i64,
) -> sqlx::Result<Vec<(DateTime<Utc>, Post)>> {
    let (after, before) = seek.latest_first();
    let rows = posts!(
        r#"/* like.of_viewer */
        WITH page AS (
            (
                SELECT post_id AS id, liked_at
                FROM likes
                WHERE user_id = $1 AND (liked_at, post_id) < ($2, $3)
                ORDER BY liked_at DESC, post_id DESC
                LIMIT $6
            ) UNION ALL (
                SELECT post_id, liked_at
                FROM likes
                WHERE user_id = $1 AND (liked_at, post_id) > ($4, $5)
                ORDER BY liked_at, post_id
                LIMIT $6
            )
        )"#,
        columns: r#"page.liked_at AS "liked_at!","#,
        order_by: "page.liked_at DESC, page.id DESC",
        viewer,
        after.0,
        after.1,
        before.0,
        before.1,
        limit
    );
    let rows = database.all("like.of_viewer", rows).await?;
    let likes = rows.into_iter();
    Ok(likes
        .filter_map(|row| Some((row.liked_at, post!(row)?)))
        .collect())
}
