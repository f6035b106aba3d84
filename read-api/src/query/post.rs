//! Posts: one, the replies to one, those of a person; and what all lists of posts have in common.

use chrono::{DateTime, Utc};
use feedmill_service::Database;
use uuid::Uuid;

use crate::{
    user_ref::UserRef,
    view::{Card, Post},
};

/// Of so many posts at most, all that a viewer likes are read, to find those among them that an answer has.
pub(super) const MOST_LIKED: i64 = 1_000;

/// A row of a statement that answers with posts. `id` may be NULL: that row says that what was asked for exists,
/// and has no posts.
pub(super) struct PostRow {
    pub id: Option<Uuid>,
    pub author: Option<Uuid>,
    pub handle: Option<String>,
    pub display_name: Option<String>,
    pub text: Option<String>,
    pub reply_to: Option<Uuid>,
    pub created_at: Option<DateTime<Utc>>,
    pub like_count: Option<i64>,
    pub reply_count: Option<i64>,
    pub liked_by_me: Option<bool>,
}

impl PostRow {
    pub(super) fn view(self) -> Option<Post> {
        Some(Post {
            id: self.id?,
            author: Card {
                id: self.author?,
                handle: self.handle.unwrap_or_default(),
                display_name: self.display_name.unwrap_or_default(),
            },
            text: self.text?,
            reply_to: self.reply_to,
            created_at: self.created_at?,
            like_count: self.like_count?,
            reply_count: self.reply_count?,
            liked_by_me: self.liked_by_me?,
        })
    }
}

/// `query_as!` of a statement that answers with posts. `$page` are its CTEs, of which the last, `page(id, author)`,
/// names the posts; `$1` is the viewer.
macro_rules! posts {
    ($page:tt, $order:tt, $($argument:expr),+) => {
        sqlx::query_as!(
            PostRow,
            $page
                + r#"
        SELECT
            post.id AS "id?", coalesce(post.author, page.author) AS "author?",
            account.handle AS "handle?", account.display_name AS "display_name?",
            post.text AS "text?", post.reply_to AS "reply_to?", post.created_at AS "created_at?",
            post.like_count AS "like_count?", post.reply_count AS "reply_count?",
            coalesce((SELECT true FROM likes WHERE post_id = post.id AND user_id = $1), false) AS "liked_by_me?"
        FROM page
        LEFT JOIN LATERAL (SELECT * FROM posts WHERE id = page.id LIMIT 1) AS post ON true
        LEFT JOIN LATERAL (
            SELECT handle, display_name FROM accounts WHERE id = post.author LIMIT 1
        ) AS account ON true
        ORDER BY page.id "#
                + $order,
            $($argument),+
        )
    };
}

/// None if there is no such post.
pub async fn one(database: &Database, viewer: Uuid, id: Uuid) -> sqlx::Result<Option<Post>> {
    let row = posts!(
        "/* post.one */ WITH page AS (SELECT $2::uuid AS id, NULL::uuid AS author)",
        "ASC",
        viewer,
        id
    );
    let row = database.one("post.one", row).await?;
    Ok(row.view())
}

/// These posts, in this order, without those that are gone.
pub async fn these(database: &Database, viewer: Uuid, ids: &[Uuid]) -> sqlx::Result<Vec<Post>> {
    let rows = posts!(
        r#"/* post.these */
        WITH page AS (
            SELECT asked.id, NULL::uuid AS author, asked.place FROM unnest($2::uuid[]) WITH ORDINALITY AS asked(id, place)
        )"#,
        "IS NULL, page.place",
        viewer,
        ids
    );
    let rows = database.all("post.these", rows).await?;
    Ok(rows.into_iter().filter_map(PostRow::view).collect())
}

/// Of these posts, without those that are gone, how good they are for a digest.
pub async fn scores(database: &Database, ids: &[Uuid]) -> sqlx::Result<Vec<(Uuid, i64)>> {
    let rows = sqlx::query!(
        r#"/* post.scores */
        SELECT id, 3 * reply_count + like_count AS "score!" FROM posts WHERE id = ANY($1)"#,
        ids
    );
    let rows = database.all("post.scores", rows).await?;
    Ok(rows.into_iter().map(|row| (row.id, row.score)).collect())
}

/// The direct replies, oldest first, from after the post `after`. None if there is neither the post nor a
/// reply to it: replies outlive what they answer.
pub async fn replies(
    database: &Database,
    viewer: Uuid,
    id: Uuid,
    after: Option<Uuid>,
    limit: i64,
) -> sqlx::Result<Option<Vec<Post>>> {
    let rows = posts!(
        r#"/* post.replies */
        WITH thread AS (
            SELECT
            WHERE EXISTS (SELECT FROM posts WHERE id = $2) OR EXISTS (SELECT FROM posts WHERE reply_to = $2)
        ), page AS (
            SELECT reply.id, NULL::uuid AS author
            FROM thread
            LEFT JOIN LATERAL (
                SELECT id FROM posts WHERE reply_to = $2 AND id > $3 ORDER BY id LIMIT $4
            ) AS reply ON true
        )"#,
        "ASC",
        viewer,
        id,
        after.unwrap_or(Uuid::nil()),
        limit
    );
    let rows = database.all("post.replies", rows).await?;
    Ok(found(rows))
}

/// A person's id and posts, replies included, newest first, from below the post `before`. None if there is no
/// such person.
pub async fn of_user(
    database: &Database,
    viewer: Uuid,
    user: &UserRef,
    before: Option<Uuid>,
    limit: i64,
) -> sqlx::Result<Option<(Uuid, Vec<Post>)>> {
    let rows = posts!(
        r#"/* post.of_user */
        WITH person AS (
            SELECT id FROM accounts WHERE id = $2
            UNION ALL SELECT id FROM accounts WHERE handle = $3
            ORDER BY id DESC
            LIMIT 1
        ), page AS (
            SELECT post.id, person.id AS author
            FROM person
            LEFT JOIN LATERAL (
                SELECT id FROM posts WHERE author = person.id AND id < $4 ORDER BY id DESC LIMIT $5
            ) AS post ON true
        )"#,
        "DESC",
        viewer,
        user.id(),
        user.handle(),
        before.unwrap_or(Uuid::max()),
        limit
    );
    let rows = database.all("post.of_user", rows).await?;
    let person = rows.first().and_then(|row| row.author);
    Ok(person.zip(found(rows)))
}

/// No row at all means that there is nothing to have posts.
fn found(rows: Vec<PostRow>) -> Option<Vec<Post>> {
    if rows.is_empty() {
        None
    } else {
        Some(rows.into_iter().filter_map(PostRow::view).collect())
    }
}
