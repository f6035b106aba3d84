//! Posts: one, the replies to one, the posts of a user; and what all statements that return posts share.

use chrono::{DateTime, Utc};
use feedmill_service::Database;
use uuid::Uuid;

use crate::{
    seek::Seek,
    user_ref::UserRef,
    views::{AccountSummary, Audience, Post},
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
    /// Whether the viewer is the author of the root post. NULL in a row from before audiences.
    pub own_thread: Option<bool>,
    /// NULL if the thread was always public.
    pub audience: Option<i16>,
    pub tags: Option<Vec<Uuid>>,
    pub liked_by_me: Option<bool>,
    pub root: Option<Uuid>,
}

impl PostRow {
    pub fn into_post(self) -> Option<Post> {
        let id = self.id?;
        let own_thread = self.own_thread.unwrap_or(false);
        let audience = Audience::from_number(self.audience.unwrap_or(0), own_thread);
        Some(Post {
            id,
            audience,
            tags: self.tags.filter(|_| audience == Audience::Tags),
            root: self.root.unwrap_or(id),
            limited: self.audience.is_some(),
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
///   may be NULL, or the id of a post that does not exist. The CTEs leave out what the viewer does not see, with the function
///   `visible` of the database, before they limit the page.
/// - `columns`: further columns, each followed by a comma, such as `page.liked_at AS "liked_at!",`. May be "".
/// - `order_by`: the order of the rows, by columns of `page`.
/// - `viewer`: the viewer in SQL; `$1` if it is left out.
/// - The arguments.
///
/// [`post!`] takes the post out of a row.
macro_rules! posts {
    (
        $with:tt $(+ $more:tt)*, columns: $columns:tt, order_by: $order:tt, viewer: $viewer:tt,
        $($argument:expr),+ $(,)?
    ) => {
        sqlx::query!(
            $with $(+ $more)*
                + " SELECT "
                + $columns
                + r#"
            post.id AS "id?", post.author AS "author?",
            account.handle AS "handle?", account.display_name AS "display_name?",
            post.text AS "text?", post.reply_to AS "reply_to?", post.created_at AS "created_at?",
            post.edited_at AS "edited_at?",
            post.like_count AS "like_count?", post.reply_count AS "reply_count?", post.root AS "root?",
            thread.audience AS "audience?", thread.tags AS "tags?",
            post.root_author = "#
                + $viewer
                + r#" AS "own_thread?",
            coalesce((SELECT true FROM likes WHERE post_id = post.id AND user_id = "#
                + $viewer
                + r#"), false) AS "liked_by_me?"
        FROM page
        LEFT JOIN LATERAL (SELECT * FROM posts WHERE id = page.id LIMIT 1) AS post ON true
        LEFT JOIN LATERAL (
            SELECT handle, display_name FROM accounts WHERE id = post.author LIMIT 1
        ) AS account ON true
        LEFT JOIN LATERAL (
            SELECT audience, tags FROM audiences WHERE root = post.root LIMIT 1
        ) AS thread ON true
        ORDER BY "#
                + $order,
            $($argument),+
        )
    };
    ($with:tt $(+ $more:tt)*, columns: $columns:tt, order_by: $order:tt, $($argument:expr),+ $(,)?) => {
        posts!($with $(+ $more)*, columns: $columns, order_by: $order, viewer: "$1", $($argument),+)
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
            own_thread: $row.own_thread,
            audience: $row.audience,
            tags: $row.tags,
            liked_by_me: $row.liked_by_me,
            root: $row.root,
        }
        .into_post()
    };
}
pub(super) use post;

/// None if there is no such post, or the viewer does not see it: the two must look the same.
pub async fn one(database: &Database, viewer: Uuid, id: Uuid) -> sqlx::Result<Option<Post>> {
    let row = posts!(
        "/* post.one */
        WITH page AS (
            SELECT id FROM posts CROSS JOIN LATERAL visible($1, author, root, root_author) AS is_visible WHERE id = $2
        )",
        columns: "",
        order_by: "page.id",
        viewer,
        id
    );
    let row = database.optional("post.one", row).await?;
    Ok(row.and_then(|row| post!(row)))
}

/// These posts, in this order, without those that do not exist or that the viewer does not see.
pub async fn by_ids(database: &Database, viewer: Uuid, ids: &[Uuid]) -> sqlx::Result<Vec<Post>> {
    let rows = posts!(
        r#"/* post.these */
        WITH page AS (
            SELECT requested.id, ordinality
            FROM unnest($2::uuid[]) WITH ORDINALITY AS requested (id, ordinality)
            CROSS JOIN LATERAL (
                SELECT author, root, root_author FROM posts WHERE id = requested.id LIMIT 1
            ) AS found
            CROSS JOIN LATERAL visible($1, found.author, found.root, found.root_author) AS is_visible
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

/// The direct replies that the viewer sees, oldest first. None if the viewer does not see the post or, if it is deleted, any reply to
/// it: replies outlive the post that they answer.
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
            WHERE EXISTS (
                SELECT FROM posts CROSS JOIN LATERAL visible($1, author, root, root_author) AS is_visible WHERE id = $2
            ) OR NOT EXISTS (SELECT FROM posts WHERE id = $2) AND EXISTS (
                SELECT
                FROM posts
                WHERE reply_to = $2 AND (SELECT true FROM visible($1, author, root, root_author))
            )
        ), page AS (
            SELECT reply.id
            FROM thread
            LEFT JOIN LATERAL (
                (
                    SELECT id
                    FROM posts
                    WHERE reply_to = $2 AND id > $3 AND (SELECT true FROM visible($1, author, root, root_author))
                    ORDER BY id
                    LIMIT $5
                ) UNION ALL (
                    SELECT id
                    FROM posts
                    WHERE reply_to = $2 AND id < $4 AND (SELECT true FROM visible($1, author, root, root_author))
                    ORDER BY id DESC
                    LIMIT $5
                )
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

/// A user's id, and the user's posts that the viewer sees, replies included, newest first. None if there is no such user for the
/// viewer.
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
        WITH person AS (
            SELECT id FROM accounts WHERE id = $2
            UNION ALL SELECT id FROM accounts WHERE handle = $3
            ORDER BY id DESC
            LIMIT 1
        ), page AS (
            SELECT person.id AS user_id, post.id
            FROM person
            LEFT JOIN LATERAL (
                SELECT id FROM posts_before($1, person.id, $4, $6) AS following (id)
                UNION ALL
                SELECT id FROM posts_after($1, person.id, $5, $6) AS preceding (id)
            ) AS post ON true
            WHERE NOT EXISTS (SELECT FROM blocked_pairs WHERE account = person.id AND other = $1)
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

/// Who looks, and the posts of `author` as they see them, replies included, newest first. The nil id stands for a stranger. None if
/// there is no such account for the author.
pub async fn seen_by(
    database: &Database,
    author: Uuid,
    user: &UserRef,
    seek: Seek<Uuid>,
    limit: i64,
) -> sqlx::Result<Option<(Uuid, Vec<Post>)>> {
    let (after, before) = seek.descending();
    let rows = posts!(
        r#"/* post.seen_by */
        WITH named AS (
            SELECT $2::uuid AS id
            WHERE $2 IN ($1, '00000000-0000-0000-0000-000000000000') OR EXISTS (SELECT FROM accounts WHERE id = $2)
            UNION ALL (SELECT id FROM accounts WHERE handle = $3 ORDER BY id DESC LIMIT 1)
        ), person AS (
            SELECT id
            FROM named
            WHERE (SELECT true FROM blocked_pairs WHERE account = named.id AND other = $1) IS NULL
                OR EXISTS (SELECT FROM blocks WHERE blocked = named.id AND blocker = $1)
        ), page AS (
            SELECT person.id AS viewer, post.id
            FROM person
            LEFT JOIN LATERAL (
                SELECT id FROM posts_before(person.id, $1, $4, $6) AS following (id)
                UNION ALL
                SELECT id FROM posts_after(person.id, $1, $5, $6) AS preceding (id)
            ) AS post ON true
        )"#,
        columns: r#"page.viewer AS "viewer!","#,
        order_by: "page.id DESC",
        viewer: "page.viewer",
        author,
        user.id(),
        user.handle(),
        after,
        before,
        limit,
    );
    let rows = database.all("post.seen_by", rows).await?;
    // Without further posts, there is one row without a post.
    let viewer = rows.first().map(|row| row.viewer);
    Ok(viewer.map(|viewer| {
        (
            viewer,
            rows.into_iter().filter_map(|row| post!(row)).collect(),
        )
    }))
}
