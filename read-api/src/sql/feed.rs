//! The feed of a viewer.

use feedmill_service::Database;
use sqlx::query;
use uuid::Uuid;

use super::{
    posts::{MAX_LIKES, post, posts},
    unread::{MAX_UNREAD, with_floor, with_lanes, with_mark, with_unread},
};
use crate::views::Post;

/// A page of a feed.
pub struct FullPage {
    /// Newest first.
    pub posts: Vec<Post>,
    /// All accounts whose posts come to the viewer's feed.
    pub followees: Vec<Uuid>,
    pub reading: Reading,
}

/// How far a viewer has read the feed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reading {
    /// Posts up to this id are read; nil if the viewer has no mark.
    pub mark: Uuid,
    /// Newer posts of others, 1,000 at most.
    pub unread_count: i64,
}

/// The ids of the posts of a page.
pub struct PageIds {
    /// Newest first.
    pub posts: Vec<Uuid>,
    /// The viewer's likes in the page's range of ids: those of `posts` that the viewer likes, and perhaps others.
    pub likes: Vec<Uuid>,
    /// All accounts whose posts come to the viewer's feed; None unless missing.
    pub followees: Option<Vec<Uuid>>,
    /// None unless missing.
    pub reading: Option<Reading>,
}

/// What the caller needs besides the ids of posts.
#[derive(Debug, Clone, Copy)]
pub struct Missing {
    pub followees: bool,
    pub reading: bool,
}

/// The authors of the newest posts, one entry per post, newest first.
pub async fn recent_authors(database: &Database, posts: i64) -> sqlx::Result<Vec<Uuid>> {
    let authors = sqlx::query!(
        "/* feed.recent_authors */ SELECT author FROM posts ORDER BY id DESC LIMIT $1",
        posts
    );
    let rows = database.all("feed.recent_authors", authors).await?;
    Ok(rows.into_iter().map(|row| row.author).collect())
}

/// The part of the page that is in `feed_entries`. `$1` is the viewer, `$2` the post before which the page starts, `$3`
/// the page's length. `$with` has the CTEs before.
macro_rules! with_pushed {
    ($with:ident, $macro:ident, $name:tt, $rest:tt $(+ $and:tt)*, $($more:tt)+) => {
        $with!(
            $macro,
            $name,
            r#", hot AS MATERIALIZED (
            SELECT post_id AS id
            FROM visible_entries($1)
            WHERE post_id < $2
                AND post_id >= coalesce((SELECT floor FROM floor), '00000000-0000-0000-0000-000000000000')
            ORDER BY post_id DESC
            LIMIT $3
        )"#
                + $rest $(+ $and)*,
            $($more)+
        )
    };
}

/// The ids of the posts on the page before the post `before`, and what is `missing`.
///
/// None if the page needs [`full_page`]: it or the unread posts reach below the viewer's floor, the viewer follows a pulled
/// author, or the viewer has more than [`MAX_LIKES`] likes in the page's range.
pub async fn page_ids(
    database: &Database,
    viewer: Uuid,
    before: Option<Uuid>,
    limit: i64,
    missing: Missing,
) -> sqlx::Result<Option<PageIds>> {
    macro_rules! listed {
        ($with:ident, $name:literal, $comment:literal, $reading:literal) => {{
            let row = with_pushed!(
                $with,
                query,
                $comment,
                r#"
        SELECT
            array(SELECT id FROM hot) AS "posts!",
            array(
                SELECT post_id FROM likes
                WHERE user_id = $1 AND post_id < $2 AND post_id >= (SELECT id FROM hot ORDER BY id LIMIT 1)
                LIMIT $4::bigint + 1
            ) AS "likes!",
            CASE WHEN $5 THEN array(SELECT author FROM feed_sources WHERE viewer = $1) END AS followees,
            EXISTS (SELECT FROM floor) AS "has_floor!",
            EXISTS (
                SELECT FROM pulled_authors AS large
                WHERE author = $1
                    OR EXISTS (SELECT FROM feed_sources WHERE viewer = $1 AND author = large.author)
            ) AS "pulled!","#
                    + $reading,
                viewer,
                before.unwrap_or(Uuid::max()),
                limit,
                MAX_LIKES,
                missing.followees
            );
            let row = database.one($name, row).await?;
            let complete = row.posts.len() as i64 == limit || !row.has_floor;
            let counted = row.unread_count.is_none_or(|count| count == MAX_UNREAD) || !row.below_floor;
            let sufficient = complete && counted && !row.pulled && row.likes.len() as i64 <= MAX_LIKES;
            let reading = row.mark.zip(row.unread_count);
            sufficient.then_some(PageIds {
                posts: row.posts,
                likes: row.likes,
                followees: row.followees,
                reading: reading.map(|(mark, unread_count)| Reading { mark, unread_count }),
            })
        }};
    }
    Ok(if missing.reading {
        listed!(
            with_mark,
            "feed.listed_and_counted",
            "/* feed.listed_and_counted */",
            r#"
            (SELECT up_to FROM mark) AS mark,
            (SELECT posts FROM pushed_unread) AS unread_count,
            EXISTS (SELECT FROM floor WHERE floor > (SELECT up_to FROM mark)) AS "below_floor!""#
        )
    } else {
        listed!(
            with_floor,
            "feed.listed",
            "/* feed.listed */",
            r#"
            NULL::uuid AS mark, NULL::bigint AS unread_count, false AS "below_floor!""#
        )
    })
}

/// The page of rows that are posts, one of them with the followed accounts and the mark instead.
macro_rules! full_page_of {
    ($rows:expr) => {{
        let mut page = FullPage {
            posts: Vec::with_capacity($rows.len()),
            followees: Vec::new(),
            reading: Reading::default(),
        };
        for row in $rows {
            page.followees.extend(row.followees.unwrap_or_default());
            if let (Some(mark), Some(unread_count)) = (row.mark, row.unread_count) {
                page.reading = Reading { mark, unread_count };
            }
            page.posts.extend(post!(row));
        }
        page
    }};
}

/// The page of the viewer's feed before the post `before`.
///
/// Pushed posts are in `feed_entries` from the viewer's floor upwards (`hot`). Below the floor, and only if the page
/// reaches there, they are read by lane. Pulled posts are read by lane at any depth, but not
/// below the last post of a page that is full of pushed ones.
///
/// Reading by lane takes two steps. The newest post of each lane (`newest`) shows which lanes can have posts of the page
/// at all: those with the `limit` newest ones. Then the posts of these lanes are read (`from_lanes`). A page below the
/// floor costs an index probe per lane, of which there is one for each followed account, one more for each connection, and one for
/// each tag of others that has the viewer, and at most `limit` rows of each lane that is read. The entries of posts that the
/// viewer does not see are skipped; there are no more of them than entries in a feed. A viewer who follows no pulled
/// author pays for one scan of the short list of pulled authors.
pub async fn full_page(
    database: &Database,
    viewer: Uuid,
    before: Option<Uuid>,
    limit: i64,
) -> sqlx::Result<FullPage> {
    let rows = with_pushed!(
        with_unread,
        posts,
        "/* feed.page */",
        r#", full_to AS MATERIALIZED (
            SELECT id FROM hot ORDER BY id DESC LIMIT 1 OFFSET $3 - 1
        ), newest AS MATERIALIZED (
            SELECT lane.*, false AS pulled, root.id
            FROM pushed_lanes AS lane
            CROSS JOIN LATERAL lane_before(
                lane.author, lane.audience, lane.tag, false, least($2, (SELECT floor FROM floor)), 1
            ) AS root (id)
            WHERE EXISTS (SELECT FROM floor) AND NOT EXISTS (SELECT FROM full_to)
            UNION ALL
            SELECT lane.*, true, root.id
            FROM pulled_lanes AS lane
            CROSS JOIN LATERAL lane_before(lane.author, lane.audience, lane.tag, true, $2, 1) AS root (id)
            WHERE root.id > coalesce((SELECT id FROM full_to), '00000000-0000-0000-0000-000000000000')
        ), from_lanes AS (
            SELECT DISTINCT root.id
            FROM newest
            CROSS JOIN LATERAL (
                SELECT id
                FROM lane_before(
                    newest.author, newest.audience, newest.tag, false, least($2, (SELECT floor FROM floor)), $3
                ) AS pushed (id)
                WHERE NOT newest.pulled
                UNION ALL
                SELECT id
                FROM lane_before(newest.author, newest.audience, newest.tag, true, $2, $3) AS pulled (id)
                WHERE newest.pulled
            ) AS root
            WHERE newest.id >= (
                -- Two lanes can begin with the same post.
                SELECT id FROM (SELECT DISTINCT id FROM newest ORDER BY id DESC LIMIT $3) AS first ORDER BY id LIMIT 1
            )
            ORDER BY root.id DESC
            LIMIT $3
        ), listed AS (
            SELECT id FROM hot UNION ALL SELECT id FROM from_lanes
            ORDER BY id DESC
            LIMIT $3
        ), page AS (
            -- The first row has the followed accounts and the mark, each of the others a post.
            SELECT id FROM listed UNION ALL SELECT NULL
        )"#,
        columns: r#"
            CASE WHEN page.id IS NULL
                THEN array(SELECT author FROM feed_sources WHERE viewer = $1)
            END AS "followees?",
            CASE WHEN page.id IS NULL THEN (SELECT up_to FROM mark) END AS "mark?",
            CASE WHEN page.id IS NULL THEN (SELECT posts FROM unread) END AS "unread_count?","#,
        order_by: "page.id DESC",
        viewer,
        before.unwrap_or(Uuid::max()),
        limit
    );
    let rows = database.all("feed.page", rows).await?;
    Ok(full_page_of!(rows))
}

/// The last posts of the viewer's feed before the post `key`, in its order: those that are newer.
///
/// As [`full_page`], in the other direction: first come the pushed posts below the floor, if `key` is below it, then
/// those in `feed_entries`; pulled ones at any depth. The oldest post of each lane after `key` shows which lanes can have posts of
/// the page at all.
pub async fn page_back(
    database: &Database,
    viewer: Uuid,
    key: Uuid,
    limit: i64,
) -> sqlx::Result<FullPage> {
    let rows = with_unread!(
        posts,
        "/* feed.page_back */",
        r#", hot AS (
            SELECT post_id AS id
            FROM visible_entries($1)
            WHERE post_id > $2
                AND post_id >= coalesce((SELECT floor FROM floor), '00000000-0000-0000-0000-000000000000')
            ORDER BY post_id
            LIMIT $3
        ), oldest AS MATERIALIZED (
            SELECT lane.*, false AS pulled, root.id
            FROM pushed_lanes AS lane
            CROSS JOIN LATERAL lane_after(
                lane.author, lane.audience, lane.tag, false, $2, (SELECT floor FROM floor), 1
            ) AS root (id)
            WHERE (SELECT floor FROM floor) > $2
            UNION ALL
            SELECT lane.*, true, root.id
            FROM pulled_lanes AS lane
            CROSS JOIN LATERAL lane_after(
                lane.author, lane.audience, lane.tag, true, $2, 'ffffffff-ffff-ffff-ffff-ffffffffffff', 1
            ) AS root (id)
        ), from_lanes AS (
            SELECT DISTINCT root.id
            FROM oldest
            CROSS JOIN LATERAL (
                SELECT id
                FROM lane_after(
                    oldest.author, oldest.audience, oldest.tag, false, $2, (SELECT floor FROM floor), $3
                ) AS pushed (id)
                WHERE NOT oldest.pulled
                UNION ALL
                SELECT id
                FROM lane_after(
                    oldest.author, oldest.audience, oldest.tag, true, $2, 'ffffffff-ffff-ffff-ffff-ffffffffffff', $3
                ) AS pulled (id)
                WHERE oldest.pulled
            ) AS root
            WHERE oldest.id <= (
                SELECT id FROM (SELECT DISTINCT id FROM oldest ORDER BY id LIMIT $3) AS first ORDER BY id DESC LIMIT 1
            )
            ORDER BY root.id
            LIMIT $3
        ), listed AS (
            SELECT id FROM hot UNION ALL SELECT id FROM from_lanes
            ORDER BY id
            LIMIT $3
        ), page AS (
            -- The first row has the followed accounts and the mark, each of the others a post.
            SELECT id FROM listed UNION ALL SELECT NULL
        )"#,
        columns: r#"
            CASE WHEN page.id IS NULL
                THEN array(SELECT author FROM feed_sources WHERE viewer = $1)
            END AS "followees?",
            CASE WHEN page.id IS NULL THEN (SELECT up_to FROM mark) END AS "mark?",
            CASE WHEN page.id IS NULL THEN (SELECT posts FROM unread) END AS "unread_count?","#,
        order_by: "page.id DESC",
        viewer,
        key,
        limit
    );
    let rows = database.all("feed.page_back", rows).await?;
    Ok(full_page_of!(rows))
}
