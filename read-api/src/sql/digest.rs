//! The digest of a viewer: counters and top posts of a period.

use chrono::NaiveDate;
use feedmill_events::id;
use feedmill_service::Database;
use uuid::Uuid;

use super::{
    posts::{MAX_LIKES, post, posts},
    unread::{with_floor, with_lanes, with_mark},
};
use crate::views::{DigestCounters, Post};

/// The most top posts of a digest. [`full`] has the number in its statement.
pub const MAX_TOP_POSTS: usize = 50;

/// The counters of a digest, and the ids of the posts that its top posts are chosen from.
pub struct Candidates {
    pub counters: DigestCounters,
    /// All posts of the period, in no order.
    pub posts: Vec<Uuid>,
    /// The viewer's likes of posts of the period: those of `posts` that the viewer likes, and perhaps others.
    pub likes: Vec<Uuid>,
}

/// The counters of the days `from..to` and the candidates for the top posts.
///
/// None if the digest needs [`full`]: the period reaches below the viewer's floor, the viewer follows a pulled author,
/// or the viewer has more than [`MAX_LIKES`] likes of posts of the period.
pub async fn candidates(
    database: &Database,
    viewer: Uuid,
    from: NaiveDate,
    to: NaiveDate,
) -> sqlx::Result<Option<Candidates>> {
    let row = sqlx::query!(
        r#"/* digest.listed */
        SELECT
            array(SELECT post_id FROM visible_entries($1) WHERE post_id >= $2 AND post_id < $3) AS "posts!",
            array(
                SELECT post_id FROM likes WHERE user_id = $1 AND post_id >= $2 AND post_id < $3 LIMIT $6::bigint + 1
            ) AS "likes!",
            coalesce(sum(likes_received), 0)::bigint AS "likes_received!",
            coalesce(sum(replies_received), 0)::bigint AS "replies_received!",
            coalesce(sum(new_followers), 0)::bigint AS "new_followers!",
            coalesce(sum(new_connections), 0)::bigint AS "new_connections!",
            coalesce(sum(messages_received), 0)::bigint AS "messages_received!",
            EXISTS (SELECT FROM feed_floors WHERE viewer = $1 AND floor > $2) AS "below_floor!",
            EXISTS (
                SELECT FROM pulled_authors AS large
                WHERE author = $1
                    OR EXISTS (SELECT FROM feed_sources WHERE viewer = $1 AND author = large.author)
            ) AS "pulled!"
        FROM digest_days
        WHERE viewer = $1 AND day >= $4 AND day < $5"#,
        viewer,
        first_id(from),
        first_id(to),
        from,
        to,
        MAX_LIKES,
    );
    let row = database.one("digest.listed", row).await?;
    let sufficient = !row.below_floor && !row.pulled && row.likes.len() as i64 <= MAX_LIKES;
    Ok(sufficient.then_some(Candidates {
        counters: DigestCounters {
            posts: row.posts.len() as i64,
            likes_received: row.likes_received,
            replies_received: row.replies_received,
            new_followers: row.new_followers,
            new_connections: row.new_connections,
            messages_received: row.messages_received,
        },
        posts: row.posts,
        likes: row.likes,
    }))
}

/// The counters of the days `from..to`, and the top posts of the feed in that time: by score, then newest first.
///
/// The time of a post is in its id, so the posts of the period are a range of ids. Pushed posts are read from
/// `feed_entries` down to the viewer's floor, and by lane below it; pulled posts by lane. Reads
/// every post of the period.
pub async fn full(
    database: &Database,
    viewer: Uuid,
    from: NaiveDate,
    to: NaiveDate,
) -> sqlx::Result<(DigestCounters, Vec<Post>)> {
    let before_first = Uuid::from_u128(first_id(from).as_u128().saturating_sub(1));
    let rows = with_lanes!(
        posts,
        "/* digest.read */",
        r#", listed AS (
            SELECT post_id AS id
            FROM visible_entries($1)
            WHERE post_id < $3 AND post_id >= greatest($2, (SELECT floor FROM floor))
            UNION
            SELECT root.id
            FROM pushed_lanes AS lane
            CROSS JOIN LATERAL lane_after(
                lane.author, lane.audience, lane.tag, false, $6, least($3, (SELECT floor FROM floor)), NULL
            ) AS root (id)
            WHERE (SELECT floor FROM floor) > $2
            UNION
            SELECT root.id
            FROM pulled_lanes AS lane
            CROSS JOIN LATERAL lane_after(lane.author, lane.audience, lane.tag, true, $6, $3, NULL) AS root (id)
        ), period AS MATERIALIZED (
            SELECT post.id, post.score
            FROM listed
            CROSS JOIN LATERAL (
                SELECT id, 3 * reply_count + like_count AS score FROM posts WHERE id = listed.id LIMIT 1
            ) AS post
        ), top AS (
            SELECT id, score FROM period ORDER BY score DESC, id DESC LIMIT 50
        ), counters AS (
            SELECT
                coalesce(sum(likes_received), 0)::bigint AS likes_received,
                coalesce(sum(replies_received), 0)::bigint AS replies_received,
                coalesce(sum(new_followers), 0)::bigint AS new_followers,
                coalesce(sum(new_connections), 0)::bigint AS new_connections,
                coalesce(sum(messages_received), 0)::bigint AS messages_received
            FROM digest_days
            WHERE viewer = $1 AND day >= $4 AND day < $5
        ), page AS (
            SELECT counters.*, (SELECT count(*) FROM period) AS posts, top.id, top.score
            FROM counters
            LEFT JOIN top ON true
        )"#,
        columns: r#"
            page.posts AS "posts!",
            page.likes_received AS "likes_received!", page.replies_received AS "replies_received!",
            page.new_followers AS "new_followers!", page.new_connections AS "new_connections!",
            page.messages_received AS "messages_received!","#,
        order_by: "page.score DESC, page.id DESC",
        viewer,
        first_id(from),
        first_id(to),
        from,
        to,
        before_first,
    );
    let rows = database.all("digest.read", rows).await?;
    // Each row has the counters, and there is one row even without a post.
    let mut counters = DigestCounters::default();
    let mut top_posts = Vec::with_capacity(rows.len());
    for row in rows {
        counters = DigestCounters {
            posts: row.posts,
            likes_received: row.likes_received,
            replies_received: row.replies_received,
            new_followers: row.new_followers,
            new_connections: row.new_connections,
            messages_received: row.messages_received,
        };
        top_posts.extend(post!(row));
    }
    Ok((counters, top_posts))
}

/// The least possible id of a post of this day.
fn first_id(day: NaiveDate) -> Uuid {
    let midnight = day.and_time(chrono::NaiveTime::MIN).and_utc();
    id::first_of(midnight.timestamp_millis())
}
