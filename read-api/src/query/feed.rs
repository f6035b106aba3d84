//! feed(viewer).

use feedmill_service::Database;
use uuid::Uuid;

use super::post::{MOST_LIKED, PostRow};
use crate::view::Post;

/// What a page of a feed is made of.
pub struct FeedPage {
    /// Newest first.
    pub posts: Vec<Post>,
    /// Everybody whom the viewer follows, however many posts they have.
    pub followed: Vec<Uuid>,
}

/// Which posts a page has.
pub struct Listed {
    /// Newest first.
    pub posts: Vec<Uuid>,
    /// Those of them that the viewer likes, perhaps among others.
    pub liked: Vec<Uuid>,
    /// As in [`FeedPage`]. None if it was not asked for.
    pub followed: Option<Vec<Uuid>>,
}

/// The authors of the newest posts, a row a post, newest first.
pub async fn recent_authors(database: &Database, posts: i64) -> sqlx::Result<Vec<Uuid>> {
    let authors = sqlx::query!(
        "/* feed.recent_authors */ SELECT author FROM posts ORDER BY id DESC LIMIT $1",
        posts
    );
    let rows = database.all("feed.recent_authors", authors).await?;
    Ok(rows.into_iter().map(|row| row.author).collect())
}

/// `query!` of a statement about a page of a viewer's feed: `$rest` goes on after two CTEs, `floor` and `hot(id)`, the
/// posts of the page that are in `feed_entries`. `$1` is the viewer, `$2` the post that the page is below of, `$3` how
/// many there are on it at most.
macro_rules! feed {
    ($name:tt, $rest:tt, $viewer:expr, $before:expr, $limit:expr $(, $more:expr)*) => {
        sqlx::query!(
            $name
                + r#"
        WITH floor AS MATERIALIZED (
            SELECT floor FROM feed_floors WHERE viewer = $1
        ), hot AS MATERIALIZED (
            SELECT post_id AS id
            FROM feed_entries
            WHERE viewer = $1 AND post_id < $2
                AND post_id >= coalesce((SELECT floor FROM floor), '00000000-0000-0000-0000-000000000000')
            ORDER BY post_id DESC
            LIMIT $3
        )"#
                + $rest,
            $viewer,
            $before.unwrap_or(Uuid::max()),
            $limit,
            $($more,)*
        )
    };
}

/// Which posts are on the page of the viewer's feed from below the post `before`, if it is a usual one: all of its
/// posts are in `feed_entries`, and the viewer follows nobody whose posts are pulled. Otherwise None, and [`page`]
/// tells; also if the viewer likes very many posts of that time. Whom the viewer follows is read if `with_followed` says
/// so.
pub async fn listed(
    database: &Database,
    viewer: Uuid,
    before: Option<Uuid>,
    limit: i64,
    with_followed: bool,
) -> sqlx::Result<Option<Listed>> {
    let row = feed!(
        "/* feed.listed */",
        r#"
        SELECT
            array(SELECT id FROM hot) AS "posts!",
            array(
                SELECT post_id FROM likes
                WHERE user_id = $1 AND post_id < $2 AND post_id >= (SELECT id FROM hot ORDER BY id LIMIT 1)
                LIMIT $4::bigint + 1
            ) AS "liked!",
            CASE WHEN $5 THEN array(SELECT author FROM feed_follows WHERE viewer = $1) END AS followed,
            EXISTS (SELECT FROM floor) AS "has_floor!",
            EXISTS (
                SELECT FROM pulled_authors AS large
                WHERE author = $1
                    OR EXISTS (SELECT FROM feed_follows WHERE viewer = $1 AND author = large.author)
            ) AS "pulled!""#,
        viewer,
        before,
        limit,
        MOST_LIKED,
        with_followed
    );
    let row = database.one("feed.listed", row).await?;
    let whole = row.posts.len() as i64 == limit || !row.has_floor;
    let usual = whole && !row.pulled && row.liked.len() as i64 <= MOST_LIKED;
    Ok(usual.then_some(Listed {
        posts: row.posts,
        liked: row.liked,
        followed: row.followed,
    }))
}

/// The viewer's feed, newest first, from below the post `before`.
///
/// The posts that were pushed are in `feed_entries` from the viewer's floor upwards (hot); below it, and only if
/// the page reaches there, they are read from the authors (cold). Those that are pulled are read from their authors
/// at any depth, but not from below the last of a page that is full of hot ones. To read from authors is first
/// the newest post of each, of which the `limit` newest say whose posts can be on the page at all; then the posts
/// of these. So a cold page costs one index probe for each followed account, and `limit` times `limit` rows at
/// most; and who follows nobody with pulled posts pays for a look at who those authors are.
pub async fn page(
    database: &Database,
    viewer: Uuid,
    before: Option<Uuid>,
    limit: i64,
) -> sqlx::Result<FeedPage> {
    let rows = feed!(
        "/* feed.page */",
        r#", full_to AS MATERIALIZED (
            SELECT id FROM hot ORDER BY id DESC LIMIT 1 OFFSET $3 - 1
        ), newest AS (
            SELECT root.author, root.id, false AS pulled
            FROM floor
            CROSS JOIN LATERAL (
                SELECT author FROM feed_follows WHERE viewer = $1
                UNION ALL SELECT $1
            ) AS followed
            CROSS JOIN LATERAL (
                SELECT author, id
                FROM posts
                WHERE author = followed.author AND reply_to IS NULL AND NOT pulled
                    AND id < least($2, floor.floor)
                ORDER BY id DESC
                LIMIT 1
            ) AS root
            WHERE NOT EXISTS (SELECT FROM full_to)
            UNION ALL
            SELECT root.author, root.id, true
            FROM (
                SELECT author FROM feed_follows WHERE viewer = $1
                UNION ALL SELECT $1
            ) AS followed
            JOIN pulled_authors AS large ON large.author = followed.author
            CROSS JOIN LATERAL (
                SELECT author, id
                FROM posts
                WHERE author = large.author AND pulled AND id < $2
                    AND id > coalesce((SELECT id FROM full_to), '00000000-0000-0000-0000-000000000000')
                ORDER BY id DESC
                LIMIT 1
            ) AS root
            WHERE EXISTS (SELECT FROM pulled_authors)
            ORDER BY id DESC
            LIMIT $3
        ), from_authors AS (
            SELECT root.id
            FROM newest
            CROSS JOIN LATERAL (
                (
                    SELECT id
                    FROM posts
                    WHERE NOT newest.pulled AND author = newest.author AND reply_to IS NULL AND NOT pulled
                        AND id <= newest.id
                    ORDER BY id DESC
                    LIMIT $3
                ) UNION ALL (
                    SELECT id
                    FROM posts
                    WHERE newest.pulled AND author = newest.author AND pulled AND id <= newest.id
                    ORDER BY id DESC
                    LIMIT $3
                )
            ) AS root
            ORDER BY root.id DESC
            LIMIT $3
        ), page AS (
            SELECT id FROM hot UNION ALL SELECT id FROM from_authors
            ORDER BY id DESC
            LIMIT $3
        )
        -- The first row has whom the viewer follows, each of the others a post.
        SELECT
            CASE WHEN page.id IS NULL
                THEN array(SELECT author FROM feed_follows WHERE viewer = $1)
            END AS "followed?",
            post.id AS "id?", post.author AS "author?",
            account.handle AS "handle?", account.display_name AS "display_name?",
            post.text AS "text?", post.reply_to AS "reply_to?", post.created_at AS "created_at?",
            post.like_count AS "like_count?", post.reply_count AS "reply_count?",
            coalesce((SELECT true FROM likes WHERE post_id = post.id AND user_id = $1), false) AS "liked_by_me?"
        FROM (SELECT id FROM page UNION ALL SELECT NULL) AS page
        LEFT JOIN LATERAL (SELECT * FROM posts WHERE id = page.id LIMIT 1) AS post ON true
        LEFT JOIN LATERAL (
            SELECT handle, display_name FROM accounts WHERE id = post.author LIMIT 1
        ) AS account ON true
        ORDER BY page.id DESC"#,
        viewer,
        before,
        limit
    );
    let rows = database.all("feed.page", rows).await?;
    let (mut posts, mut followed) = (Vec::with_capacity(rows.len()), vec![]);
    for row in rows {
        followed.extend(row.followed.unwrap_or_default());
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
        posts.extend(post.view());
    }
    Ok(FeedPage { posts, followed })
}
