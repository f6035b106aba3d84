//! Posts: one, the replies to one, the posts of a user; and what all statements that return posts share.

use chrono::{DateTime, Utc};
use feedmill_service::Database;
use uuid::Uuid;

use crate::{
    seek::Seek,
    user_ref::UserRef,
    views::{AccountSummary, Post},
};

/// The most likes of a viewer that one statement returns. A viewer with more likes in the range of a page gets the page
/// from a statement that looks up each post's like.
pub const MAX_LIKES: i64 = 1_000;

/// The columns that [`posts!`] selects. All are NULL in a row that has no post.
pub struct PostRow {
    pub id: Option<Uuid>,
    pub author: Option<Uuid>,
    pub handle: Option<String>,
    pub display_name: Option<String>,
    pub text: Option<String>,
    pub reply_to: Option<Uuid>,
    pub created_at: Option<DateTime<Utc>>,
    pub edited_at: Option<DateTime<Utc>>,
    pub like_count: Option<i64>,
    pub reply_count: Option<i64>,
    pub liked_by_me: Option<bool>,
}

impl PostRow {
    pub fn into_post(self) -> Option<Post> {
        Some(Post {
            id: self.id?,
            author: AccountSummary::from_columns(self.author?, self.handle, self.display_name),
            text: self.text?,
            reply_to: self.reply_to,
            created_at: self.created_at?,
            edited_at: self.edited_at,
            like_count: self.like_count?,
            reply_count: self.reply_count?,
            liked_by_me: self.liked_by_me?,
        })
    }
}

/// `sqlx::query!` of a statement whose rows are posts, in any order, with any further columns.
///
/// - `$with`: the statement's name and its CTEs. The last CTE is `page`, a row per post. `page.id` is the post's id; it
///   may be NULL, or the id of a post that does not exist.
/// - `columns`: further columns, each followed by a comma, such as `page.liked_at AS "liked_at!",`. May be "".
/// - `order_by`: the order of the rows, by columns of `page`.
/// - The arguments. `$1` must be the viewer.
///
/// [`post!`] takes the post out of a row.
macro_rules! posts {
    ($with:tt $(+ $more:tt)*, columns: $columns:tt, order_by: $order:tt, $($argument:expr),+ $(,)?) => {
        sqlx::query!(
            $with $(+ $more)*
                + " SELECT "
                + $columns
                + r#"
            post.id AS "id?", post.author AS "author?",
            account.handle AS "handle?", account.display_name AS "display_name?",
            post.text AS "text?", post.reply_to AS "reply_to?", post.created_at AS "created_at?",
            post.edited_at AS "edited_at?",
            post.like_count AS "like_count?", post.reply_count AS "reply_count?",
            coalesce((SELECT true FROM likes WHERE post_id = post.id AND user_id = $1), false) AS "liked_by_me?"
        FROM page
        LEFT JOIN LATERAL (SELECT * FROM posts WHERE id = page.id LIMIT 1) AS post ON true
        LEFT JOIN LATERAL (
            SELECT handle, display_name FROM accounts WHERE id = post.author LIMIT 1
        ) AS account ON true
        ORDER BY "#
                + $order,
            $($argument),+
        )
    };
}
pub(super) use posts;

/// The post of a row of [`posts!`]; None if the row has no post.
macro_rules! post {
    ($row:expr) => {
        $crate::sql::posts::PostRow {
            id: $row.id,
            author: $row.author,
            handle: $row.handle,
            display_name: $row.display_name,
            text: $row.text,
            reply_to: $row.reply_to,
            created_at: $row.created_at,
            edited_at: $row.edited_at,
            like_count: $row.like_count,
            reply_count: $row.reply_count,
            liked_by_me: $row.liked_by_me,
        }
        .into_post()
    };
}
pub(super) use post;

/// None if there is no such post.
pub async fn one(database: &Database, viewer: Uuid, id: Uuid) -> sqlx::Result<Option<Post>> {
    let row = posts!(
        "/* post.one */ WITH page AS (SELECT $2::uuid AS id)",
        columns: "",
        order_by: "page.id",
        viewer,
        id
    );
    let row = database.one("post.one", row).await?;
    Ok(post!(row))
}

/// These posts, in this order, without those that do not exist.
pub async fn by_ids(database: &Database, viewer: Uuid, ids: &[Uuid]) -> sqlx::Result<Vec<Post>> {
    let rows = posts!(
        r#"/* post.these */
        WITH page AS (
            SELECT id, ordinality FROM unnest($2::uuid[]) WITH ORDINALITY AS requested (id, ordinality)
        )"#,
        columns: "",
        order_by: "page.ordinality",
        viewer,
        ids
    );
    let rows = database.all("post.these", rows).await?;
    Ok(rows.into_iter().filter_map(|row| post!(row)).collect())
}

/// The digest scores of these posts, in no order, without those that do not exist.
pub async fn scores(database: &Database, ids: &[Uuid]) -> sqlx::Result<Vec<(Uuid, i64)>> {
    let rows = sqlx::query!(
        r#"/* post.scores */
        SELECT id, 3 * reply_count + like_count AS "score!" FROM posts WHERE id = ANY($1)"#,
        ids
    );
    let rows = database.all("post.scores", rows).await?;
    Ok(rows.into_iter().map(|row| (row.id, row.score)).collect())
}

/// The direct replies, oldest first. None if there is neither the post nor a reply to it:
/// replies outlive the post that they answer.
pub async fn replies(
    database: &Database,
    viewer: Uuid,
    id: Uuid,
    seek: Seek<Uuid>,
    limit: i64,
) -> sqlx::Result<Option<Vec<Post>>> {
    let (after, before) = seek.ascending();
    let rows = posts!(
        r#"/* post.replies */
        WITH thread AS (
            SELECT
            WHERE EXISTS (SELECT FROM posts WHERE id = $2) OR EXISTS (SELECT FROM posts WHERE reply_to = $2)
        ), page AS (
            SELECT reply.id
            FROM thread
            LEFT JOIN LATERAL (
                (SELECT id FROM posts WHERE reply_to = $2 AND id > $3 ORDER BY id LIMIT $5)
                UNION ALL (SELECT id FROM posts WHERE reply_to = $2 AND id < $4 ORDER BY id DESC LIMIT $5)
            ) AS reply ON true
        )"#,
        columns: "",
        order_by: "page.id",
        viewer,
        id,
        after,
        before,
        limit
    );
    let rows = database.all("post.replies", rows).await?;
    // A thread without further replies is one row without a post.
    let exists = !rows.is_empty();
    Ok(exists.then(|| rows.into_iter().filter_map(|row| post!(row)).collect()))
}

/// A user's id, and the user's posts, replies included, newest first. None if there is no such user.
pub async fn of_user(
    database: &Database,
    viewer: Uuid,
    user: &UserRef,
    seek: Seek<Uuid>,
    limit: i64,
) -> sqlx::Result<Option<(Uuid, Vec<Post>)>> {
    let (after, before) = seek.descending();
    let rows = posts!(
        r#"/* post.of_user */
        WITH account AS (
            SELECT id FROM accounts WHERE id = $2
            UNION ALL SELECT id FROM accounts WHERE handle = $3
            ORDER BY id DESC
            LIMIT 1
        ), page AS (
            SELECT account.id AS user_id, post.id
            FROM account
            LEFT JOIN LATERAL (
                (SELECT id FROM posts WHERE author = account.id AND id < $4 ORDER BY id DESC LIMIT $6)
                UNION ALL (SELECT id FROM posts WHERE author = account.id AND id > $5 ORDER BY id LIMIT $6)
            ) AS post ON true
        )"#,
        columns: r#"page.user_id AS "user_id!","#,
        order_by: "page.id DESC",
        viewer,
        user.id(),
        user.handle(),
        after,
        before,
        limit
    );
    let rows = database.all("post.of_user", rows).await?;
    // A user without further posts is one row without a post.
    let user = rows.first().map(|row| row.user_id);
    Ok(user.map(|user| {
        (
            user,
            rows.into_iter().filter_map(|row| post!(row)).collect(),
        )
    }))
}
