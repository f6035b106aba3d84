//! feed(viewer).

use feedmill_service::sql;
use sqlx::PgPool;
use uuid::Uuid;

use super::post::{PostRow, posts};
use crate::view::Post;

/// The viewer's feed, newest first, from below the post `before`.
///
/// From the viewer's floor upwards the feed is in `feed_entries` (hot). Below it, and only if the page
/// reaches there, it is read from the authors (cold): first the newest root of each, of which the `limit`
/// newest say whose posts can be on the page at all; then the posts of these. So a cold page costs one index
/// probe for each followed account, and `limit` times `limit` rows at most.
pub async fn page(
    pool: &PgPool,
    viewer: Uuid,
    before: Option<Uuid>,
    limit: i64,
) -> sqlx::Result<Vec<Post>> {
    let rows = posts!(
        r#"/* feed.page */
        WITH floor AS MATERIALIZED (
            SELECT floor FROM feed_floors WHERE viewer = $1
        ), hot AS MATERIALIZED (
            SELECT post_id AS id
            FROM feed_entries
            WHERE viewer = $1 AND post_id < $2
                AND post_id >= coalesce((SELECT floor FROM floor), '00000000-0000-0000-0000-000000000000')
            ORDER BY post_id DESC
            LIMIT $3
        ), newest AS (
            SELECT root.author, root.id
            FROM floor
            CROSS JOIN LATERAL (
                SELECT author FROM feed_follows WHERE viewer = $1
                UNION ALL SELECT $1
            ) AS followed
            CROSS JOIN LATERAL (
                SELECT author, id
                FROM posts
                WHERE author = followed.author AND reply_to IS NULL AND id < least($2, floor.floor)
                ORDER BY id DESC
                LIMIT 1
            ) AS root
            WHERE (SELECT count(*) FROM hot) < $3
            ORDER BY root.id DESC
            LIMIT $3
        ), cold AS (
            SELECT root.id
            FROM newest
            CROSS JOIN LATERAL (
                SELECT id
                FROM posts
                WHERE author = newest.author AND reply_to IS NULL AND id <= newest.id
                ORDER BY id DESC
                LIMIT $3
            ) AS root
            ORDER BY root.id DESC
            LIMIT $3
        ), page AS (
            SELECT id FROM hot UNION ALL SELECT id FROM cold
            ORDER BY id DESC
            LIMIT $3
        )"#,
        "DESC",
        viewer,
        before.unwrap_or(Uuid::max()),
        limit
    );
    let rows = sql::named("feed.page", rows.fetch_all(pool)).await?;
    Ok(rows.into_iter().filter_map(PostRow::view).collect())
}
