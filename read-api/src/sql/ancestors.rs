//! The ancestors of a post: what it answers, what that answers, and so on.

use feedmill_service::Database;
use uuid::Uuid;

use super::posts::{post, posts};
use crate::{seek::Seek, views::Post};

/// The ancestors that stand and that the viewer sees, from the root down, each with its distance from the post: 1 for the post that it
/// answers. None if the viewer does not see the post.
///
/// The chain goes on through deleted ancestors, and never changes, so neither do the distances. Each page walks it from the
/// post upwards, the first one to the root, and the next ones to where they begin: one index probe for each ancestor, which
/// takes 3.5 µs (35 ms for a chain of 10,000).
pub async fn of_post(
    database: &Database,
    viewer: Uuid,
    id: Uuid,
    seek: Seek<i64>,
    limit: i64,
) -> sqlx::Result<Option<Vec<(i64, Post)>>> {
    let (after, before) = seek.farthest_first();
    let end = match seek {
        Seek::After(distance) => distance,
        Seek::Start | Seek::Before(_) => i64::MAX,
    };
    let rows = posts!(
        r#"/* post.ancestors */
        WITH RECURSIVE chain AS (
            SELECT 0::bigint AS distance, id, reply_to, true AS stands
            FROM posts
            CROSS JOIN LATERAL visible($1, author, root, root_author) AS is_visible
            WHERE id = $2
            UNION ALL
            SELECT chain.distance + 1, parent.id, parent.reply_to, parent.stands
            FROM chain
            CROSS JOIN LATERAL (
                SELECT id, reply_to, true AS stands FROM posts WHERE id = chain.reply_to
                UNION ALL
                SELECT id, reply_to, false FROM deleted_replies WHERE id = chain.reply_to
                LIMIT 1
            ) AS parent
            WHERE chain.distance + 1 < $6
        ), page AS (
            SELECT ancestor.distance, ancestor.id
            FROM (SELECT FROM chain WHERE distance = 0) AS start
            LEFT JOIN LATERAL (
                (
                    SELECT distance, id
                    FROM chain
                    WHERE stands AND distance > 0 AND distance < $3 AND (
                        SELECT true
                        FROM posts
                        CROSS JOIN LATERAL visible($1, author, root, root_author) AS is_visible
                        WHERE posts.id = chain.id
                    )
                    ORDER BY distance DESC
                    LIMIT $5
                ) UNION ALL (
                    SELECT distance, id
                    FROM chain
                    WHERE stands AND distance > $4 AND (
                        SELECT true
                        FROM posts
                        CROSS JOIN LATERAL visible($1, author, root, root_author) AS is_visible
                        WHERE posts.id = chain.id
                    )
                    ORDER BY distance
                    LIMIT $5
                )
            ) AS ancestor ON true
        )"#,
        columns: r#"page.distance AS "distance?","#,
        order_by: "page.distance DESC",
        viewer,
        id,
        after,
        before,
        limit,
        end
    );
    let rows = database.all("post.ancestors", rows).await?;
    // A post without further ancestors is one row without an ancestor.
    let exists = !rows.is_empty();
    let ancestors = rows.into_iter();
    let ancestors = ancestors.filter_map(|row| Some((row.distance?, post!(row)?)));
    Ok(exists.then(|| ancestors.collect()))
}
