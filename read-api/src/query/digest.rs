//! digest(viewer, period).

use chrono::NaiveDate;
use feedmill_events::id;
use feedmill_service::Database;
use uuid::Uuid;

use super::post::{MOST_LIKED, PostRow};
use crate::view::{Counters, Post};

/// How many posts a digest tells of; [`read`] has it in its statement.
pub const BEST: usize = 50;

/// The counters of the days `from..to`, and the best 50 posts of the feed in that time, best first.
///
/// A post's time is its id's, so the posts of the period are a range of ids: those that were pushed read from the
/// feed's entries down to the viewer's floor, and from the authors below it; those that are pulled from their
/// authors. Costs a look at every post of the period.
pub async fn read(
    database: &Database,
    viewer: Uuid,
    from: NaiveDate,
    to: NaiveDate,
) -> sqlx::Result<(Counters, Vec<Post>)> {
    let rows = sqlx::query!(
        r#"/* digest.read */
        WITH floor AS MATERIALIZED (
            SELECT floor FROM feed_floors WHERE viewer = $1
        ), period AS MATERIALIZED (
            SELECT post.id, post.score
            FROM feed_entries AS entry
            CROSS JOIN LATERAL (
                SELECT id, 3 * reply_count + like_count AS score FROM posts WHERE id = entry.post_id LIMIT 1
            ) AS post
            WHERE entry.viewer = $1 AND entry.post_id < $3
                AND entry.post_id >= greatest($2, (SELECT floor FROM floor))
            UNION ALL
            SELECT post.id, post.score
            FROM floor
            CROSS JOIN LATERAL (
                SELECT author FROM feed_follows WHERE viewer = $1
                UNION ALL SELECT $1
            ) AS followed
            CROSS JOIN LATERAL (
                SELECT id, 3 * reply_count + like_count AS score
                FROM posts
                WHERE author = followed.author AND reply_to IS NULL AND NOT pulled
                    AND id >= $2 AND id < least($3, floor.floor)
                OFFSET 0
            ) AS post
            WHERE floor.floor > $2
            UNION ALL
            SELECT post.id, post.score
            FROM (
                SELECT author FROM feed_follows WHERE viewer = $1
                UNION ALL SELECT $1
            ) AS followed
            JOIN pulled_authors AS large ON large.author = followed.author
            CROSS JOIN LATERAL (
                SELECT id, 3 * reply_count + like_count AS score
                FROM posts
                WHERE author = large.author AND pulled AND id >= $2 AND id < $3
                OFFSET 0
            ) AS post
            WHERE EXISTS (SELECT FROM pulled_authors)
        ), page AS (
            SELECT id, score FROM period ORDER BY score DESC, id DESC LIMIT 50
        ), counters AS (
            SELECT
                coalesce(sum(likes_received), 0)::bigint AS likes_received,
                coalesce(sum(replies_received), 0)::bigint AS replies_received,
                coalesce(sum(new_followers), 0)::bigint AS new_followers,
                coalesce(sum(messages_received), 0)::bigint AS messages_received
            FROM digest_days
            WHERE viewer = $1 AND day >= $4 AND day < $5
        )
        SELECT
            (SELECT count(*) FROM period) AS "posts!",
            counters.likes_received AS "likes_received!", counters.replies_received AS "replies_received!",
            counters.new_followers AS "new_followers!", counters.messages_received AS "messages_received!",
            post.id AS "id?", post.author AS "author?",
            account.handle AS "handle?", account.display_name AS "display_name?",
            post.text AS "text?", post.reply_to AS "reply_to?", post.created_at AS "created_at?",
            post.like_count AS "like_count?", post.reply_count AS "reply_count?",
            coalesce((SELECT true FROM likes WHERE post_id = post.id AND user_id = $1), false) AS "liked_by_me?"
        FROM counters
        LEFT JOIN page ON true
        LEFT JOIN LATERAL (SELECT * FROM posts WHERE id = page.id LIMIT 1) AS post ON true
        LEFT JOIN LATERAL (
            SELECT handle, display_name FROM accounts WHERE id = post.author LIMIT 1
        ) AS account ON true
        ORDER BY page.score DESC, page.id DESC"#,
        viewer,
        first_id(from),
        first_id(to),
        from,
        to,
    );
    let rows = database.all("digest.read", rows).await?;
    let mut counters = Counters::default();
    let mut top_posts = Vec::with_capacity(rows.len());
    for row in rows {
        counters = Counters {
            posts: row.posts,
            likes_received: row.likes_received,
            replies_received: row.replies_received,
            new_followers: row.new_followers,
            messages_received: row.messages_received,
        };
        let post = PostRow {
            id: row.id,
            author: row.author,
            handle: row.handle,
            display_name: row.display_name,
            text: row.text,
            reply_to: row.reply_to,
            created_at: row.created_at,
            like_count: row.like_count,
            reply_count: row.reply_count,
            liked_by_me: row.liked_by_me,
        };
        top_posts.extend(post.view());
    }
    Ok((counters, top_posts))
}

/// What a digest is chosen from.
pub struct Listed {
    pub counters: Counters,
    /// All posts of the period, in no order.
    pub posts: Vec<Uuid>,
    /// Those of them that the viewer likes, perhaps among others.
    pub liked: Vec<Uuid>,
}

/// The same of a usual digest, but only which posts it is chosen from: all posts of the period are in `feed_entries`,
/// and the viewer follows nobody whose posts are pulled. Otherwise None, and [`read`] tells; also if the viewer likes
/// very many posts of the period.
pub async fn listed(
    database: &Database,
    viewer: Uuid,
    from: NaiveDate,
    to: NaiveDate,
) -> sqlx::Result<Option<Listed>> {
    let row = sqlx::query!(
        r#"/* digest.listed */
        SELECT
            array(
                SELECT post_id FROM feed_entries WHERE viewer = $1 AND post_id >= $2 AND post_id < $3
            ) AS "posts!",
            array(
                SELECT post_id FROM likes WHERE user_id = $1 AND post_id >= $2 AND post_id < $3 LIMIT $6::bigint + 1
            ) AS "liked!",
            coalesce(sum(likes_received), 0)::bigint AS "likes_received!",
            coalesce(sum(replies_received), 0)::bigint AS "replies_received!",
            coalesce(sum(new_followers), 0)::bigint AS "new_followers!",
            coalesce(sum(messages_received), 0)::bigint AS "messages_received!",
            EXISTS (SELECT FROM feed_floors WHERE viewer = $1 AND floor > $2) AS "below!",
            EXISTS (
                SELECT FROM pulled_authors AS large
                WHERE author = $1
                    OR EXISTS (SELECT FROM feed_follows WHERE viewer = $1 AND author = large.author)
            ) AS "pulled!"
        FROM digest_days
        WHERE viewer = $1 AND day >= $4 AND day < $5"#,
        viewer,
        first_id(from),
        first_id(to),
        from,
        to,
        MOST_LIKED,
    );
    let row = database.one("digest.listed", row).await?;
    let usual = !row.below && !row.pulled && row.liked.len() as i64 <= MOST_LIKED;
    Ok(usual.then_some(Listed {
        counters: Counters {
            posts: row.posts.len() as i64,
            likes_received: row.likes_received,
            replies_received: row.replies_received,
            new_followers: row.new_followers,
            messages_received: row.messages_received,
        },
        posts: row.posts,
        liked: row.liked,
    }))
}

/// The least id that can be made on a day.
fn first_id(day: NaiveDate) -> Uuid {
    id::first_of(
        day.and_time(chrono::NaiveTime::MIN)
            .and_utc()
            .timestamp_millis(),
    )
}
