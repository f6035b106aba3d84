//! What is new for an open stream: the items of a list from below which the client has all, oldest first.
//!
//! What a client has is told by partition ([`Since`]): what one partition makes becomes visible in its order, what
//! several make in any order, and hours late where one of them had come to a stop.

use feedmill_events::PARTITIONS;
use feedmill_service::Database;
use uuid::Uuid;

use super::{notification::NotificationRow, post::PostRow};
use crate::view::{Message, Notification, Post};

/// How many of an author's posts, or of a conversation's messages, [`feed`] and [`messages`] tell at most.
const NEWEST: i64 = 20;

/// What a client has of a list.
pub struct Since {
    /// By partition: all from before this id, and nothing from it on,
    pub from: [Uuid; PARTITIONS as usize],
    /// but these.
    pub known: Vec<Uuid>,
}

impl Since {
    /// Nothing below is new, in any partition.
    fn least(&self) -> Uuid {
        self.from.iter().copied().min().unwrap_or_default()
    }
}

/// The viewer and everyone followed, each with the newest root posts since `reach`.
pub async fn feed(
    database: &Database,
    viewer: Uuid,
    reach: Uuid,
) -> sqlx::Result<Vec<(Uuid, Vec<Uuid>)>> {
    let rows = sqlx::query!(
        r#"/* stream.feed */
        SELECT followed.author AS "author!", array(
            SELECT id
            FROM posts
            WHERE author = followed.author AND id >= $2 AND reply_to IS NULL
            ORDER BY id DESC
            LIMIT $3
        ) AS "newest!"
        FROM (
            SELECT author FROM feed_follows WHERE viewer = $1
            UNION SELECT $1
        ) AS followed"#,
        viewer,
        reach,
        NEWEST,
    );
    let rows = database.all("stream.feed", rows).await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.author, row.newest))
        .collect())
}

/// The root posts of `authors`, of each from the id in `from` on, but the `known` ones.
pub async fn posts(
    database: &Database,
    viewer: Uuid,
    authors: &[Uuid],
    from: &[Uuid],
    known: &[Uuid],
    limit: i64,
) -> sqlx::Result<Vec<Post>> {
    let rows = sqlx::query_as!(
        PostRow,
        r#"/* stream.posts */
        WITH page AS MATERIALIZED (
            SELECT post.id
            FROM unnest($2::uuid[], $3::uuid[]) AS followed (author, since)
            CROSS JOIN LATERAL (
                SELECT id
                FROM posts
                WHERE author = followed.author AND id >= followed.since AND reply_to IS NULL
                    AND id <> ALL ($4)
                ORDER BY id
                LIMIT $5
            ) AS post
            ORDER BY post.id
            LIMIT $5
        )
        SELECT
            post.id AS "id?", post.author AS "author?",
            account.handle AS "handle?", account.display_name AS "display_name?",
            post.text AS "text?", post.reply_to AS "reply_to?", post.created_at AS "created_at?",
            post.like_count AS "like_count?", post.reply_count AS "reply_count?",
            coalesce((SELECT true FROM likes WHERE post_id = post.id AND user_id = $1), false) AS "liked_by_me?"
        FROM page
        CROSS JOIN LATERAL (SELECT * FROM posts WHERE id = page.id LIMIT 1) AS post
        LEFT JOIN LATERAL (
            SELECT handle, display_name FROM accounts WHERE id = post.author LIMIT 1
        ) AS account ON true
        ORDER BY page.id"#,
        viewer,
        authors,
        from,
        known,
        limit,
    );
    let rows = database.all("stream.posts", rows).await?;
    Ok(rows.into_iter().filter_map(PostRow::view).collect())
}

/// The newest messages since `reach` of the viewer's conversations, each after its conversation.
pub async fn messages(
    database: &Database,
    viewer: Uuid,
    reach: Uuid,
) -> sqlx::Result<Vec<(Uuid, Uuid)>> {
    let rows = sqlx::query!(
        r#"/* stream.messages */
        SELECT member.conversation, message.id
        FROM members AS member
        CROSS JOIN LATERAL (
            SELECT id
            FROM messages
            WHERE conversation = member.conversation AND id >= $2
            ORDER BY id DESC
            LIMIT $3
        ) AS message
        WHERE member.user_id = $1 AND member.activity >= $2"#,
        viewer,
        reach,
        NEWEST,
    );
    let rows = database.all("stream.messages", rows).await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.conversation, row.id))
        .collect())
}

/// Messages of the viewer's conversations, each with its conversation. Everybody's: one's own come from another
/// device.
pub async fn new_messages(
    database: &Database,
    viewer: Uuid,
    since: &Since,
    limit: i64,
) -> sqlx::Result<Vec<(Uuid, Message)>> {
    // A conversation's partition is that of its messages: the low six bits of its id.
    let rows = sqlx::query!(
        r#"/* stream.new_messages */
        SELECT member.conversation, message.id, message.sender, message.text, message.created_at
        FROM members AS member
        CROSS JOIN LATERAL (
            SELECT id, sender, text, created_at
            FROM messages
            WHERE conversation = member.conversation
                AND id >= ($2::uuid[])[1 + (get_byte(uuid_send(member.conversation), 15) & 63)]
                AND id <> ALL ($3)
            ORDER BY id
            LIMIT $4
        ) AS message
        WHERE member.user_id = $1 AND member.activity >= $5
        ORDER BY message.id
        LIMIT $4"#,
        viewer,
        &since.from,
        &since.known,
        limit,
        since.least(),
    );
    let rows = database.all("stream.new_messages", rows).await?;
    let messages = rows.into_iter().map(|row| {
        let message = Message {
            id: row.id,
            sender_id: row.sender,
            text: row.text,
            created_at: row.created_at,
        };
        (row.conversation, message)
    });
    Ok(messages.collect())
}

/// The newest notification of each partition since `reach`, and all since `recent`: an id that carries the
/// partition, and the notification's.
pub async fn notifications(
    database: &Database,
    viewer: Uuid,
    reach: Uuid,
    recent: Uuid,
) -> sqlx::Result<Vec<(Uuid, Uuid)>> {
    let rows = sqlx::query!(
        r#"/* stream.notifications */
        (
            SELECT DISTINCT ON (get_byte(uuid_send(coalesce(post, viewer)), 15) & 63)
                coalesce(post, viewer) AS "place!", id AS "id!"
            FROM notifications
            WHERE viewer = $1 AND id >= $2
            ORDER BY get_byte(uuid_send(coalesce(post, viewer)), 15) & 63, id DESC
        ) UNION (
            SELECT coalesce(post, viewer), id
            FROM notifications
            WHERE viewer = $1 AND id >= $3
        )"#,
        viewer,
        reach,
        recent,
    );
    let rows = database.all("stream.notifications", rows).await?;
    Ok(rows.into_iter().map(|row| (row.place, row.id)).collect())
}

/// Notifications, each after an id that carries its partition: a follow is made in the viewer's, a like or a
/// reply in the post's.
pub async fn new_notifications(
    database: &Database,
    viewer: Uuid,
    since: &Since,
    limit: i64,
) -> sqlx::Result<Vec<(Uuid, Notification)>> {
    let rows = sqlx::query!(
        r#"/* stream.new_notifications */
        WITH page AS MATERIALIZED (
            SELECT id, actor, post, reply, coalesce(post, viewer) AS place
            FROM notifications
            WHERE viewer = $1 AND id >= $5 AND id <> ALL ($3)
                AND id >= ($2::uuid[])[1 + (get_byte(uuid_send(coalesce(post, viewer)), 15) & 63)]
            ORDER BY id
            LIMIT $4
        )
        SELECT
            page.place AS "place!", page.id AS "id!", page.actor AS "actor!",
            page.post AS "post?", page.reply AS "reply?",
            coalesce(page.id <= (SELECT up_to FROM notification_marks WHERE viewer = $1), false) AS "read!",
            account.handle AS "handle?", account.display_name AS "display_name?",
            shown.text AS "text?", shown.reply_to AS "reply_to?"
        FROM page
        LEFT JOIN LATERAL (
            SELECT handle, display_name FROM accounts WHERE id = page.actor LIMIT 1
        ) AS account ON true
        LEFT JOIN LATERAL (
            SELECT text, reply_to FROM posts WHERE id = coalesce(page.reply, page.post) LIMIT 1
        ) AS shown ON true
        ORDER BY page.id"#,
        viewer,
        &since.from,
        &since.known,
        limit,
        since.least(),
    );
    let rows = database.all("stream.new_notifications", rows).await?;
    let notifications = rows.into_iter().filter_map(|row| {
        let place = row.place;
        let row = NotificationRow {
            id: row.id,
            actor: row.actor,
            handle: row.handle,
            display_name: row.display_name,
            post: row.post,
            reply: row.reply,
            text: row.text,
            reply_to: row.reply_to,
            read: row.read,
        };
        Some((place, row.view()?))
    });
    Ok(notifications.collect())
}

/// The unread messages of all conversations, and the unread notifications.
pub async fn unread(database: &Database, viewer: Uuid) -> sqlx::Result<(i64, i64)> {
    let row = sqlx::query!(
        r#"/* stream.unread */
        SELECT
            (
                SELECT coalesce(sum(unread_count), 0)::bigint
                FROM members
                WHERE user_id = $1 AND unread_count > 0
            ) AS "messages!",
            (
                SELECT count(*)
                FROM notifications
                WHERE viewer = $1
                    AND id > coalesce((SELECT up_to FROM notification_marks WHERE viewer = $1), $2)
            ) AS "notifications!""#,
        viewer,
        Uuid::nil(),
    );
    let row = database.one("stream.unread", row).await?;
    Ok((row.messages, row.notifications))
}
