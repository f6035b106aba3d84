//! The new items of the lists that a live stream follows, oldest first.
//!
//! What a client already has is described per partition ([`Since`]). Items of one partition become visible in the order
//! of their ids; items of different partitions in any order, and hours late if a partition's projection was stopped.

use chrono::{DateTime, Utc};
use feedmill_events::PARTITIONS;
use feedmill_service::Database;
use sqlx::query;
use uuid::Uuid;

use super::{
    notifications::{notification, notifications, with_notified},
    posts::{post, posts},
    unread::{with_floor, with_lanes, with_mark, with_unread_messages},
};
use crate::views::{Message, Notification, Post};

/// The most posts per author, and messages per conversation, that [`followees`] and [`latest_messages`] return.
const MAX_LATEST: i64 = 20;

/// The items of a list that a client already has.
pub struct Since {
    /// By partition: the client has all items before this id, and none from it on,
    pub from: [Uuid; PARTITIONS as usize],
    /// except these.
    pub sent: Vec<Uuid>,
}

impl Since {
    /// No item before this id is new, in any partition.
    fn least(&self) -> Uuid {
        self.from.iter().copied().min().unwrap_or_default()
    }
}

/// The viewer and the accounts whose posts come to the viewer's feed, each with its latest root posts since `oldest`.
pub async fn followees(
    database: &Database,
    viewer: Uuid,
    oldest: Uuid,
) -> sqlx::Result<Vec<(Uuid, Vec<Uuid>)>> {
    let rows = sqlx::query!(
        r#"/* stream.feed */
        SELECT source.author AS "author!", array(
            SELECT id
            FROM posts
            WHERE author = source.author AND id >= $2 AND reply_to IS NULL
            ORDER BY id DESC
            LIMIT $3
        ) AS "latest!"
        FROM (
            SELECT author FROM feed_sources WHERE viewer = $1
            UNION SELECT $1
        ) AS source"#,
        viewer,
        oldest,
        MAX_LATEST,
    );
    let rows = database.all("stream.feed", rows).await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.author, row.latest))
        .collect())
}

/// The newest posts of the viewer's feed before an id, at most `limit` and one more, in no order, with the times of their last
/// edits; and the viewer's floor: below it there may be more posts.
pub async fn visible(
    database: &Database,
    viewer: Uuid,
    before: Uuid,
    limit: i64,
) -> sqlx::Result<(Vec<(Uuid, Option<DateTime<Utc>>)>, Uuid)> {
    let row = with_lanes!(
        query,
        "/* stream.visible */",
        r#", pushed AS (
            SELECT post_id AS id
            FROM visible_entries($1)
            WHERE post_id < $2
                AND post_id >= coalesce((SELECT floor FROM floor), '00000000-0000-0000-0000-000000000000')
            ORDER BY post_id DESC
            LIMIT $3::bigint + 1
        ), pulled AS (
            SELECT root.id
            FROM pulled_lanes AS lane
            CROSS JOIN LATERAL lane_before(lane.author, lane.audience, lane.tag, true, $2, $3 + 1) AS root (id)
            WHERE root.id >= coalesce((SELECT floor FROM floor), '00000000-0000-0000-0000-000000000000')
        ), newest AS (
            SELECT id FROM pushed UNION SELECT id FROM pulled ORDER BY id DESC LIMIT $3 + 1
        )
        SELECT
            coalesce(array_agg(newest.id), '{}') AS "posts!",
            coalesce(array_agg(edited.edited_at), '{}') AS "edits!: Vec<Option<DateTime<Utc>>>",
            (SELECT floor FROM floor) AS floor
        FROM newest
        LEFT JOIN LATERAL (
            SELECT edited_at FROM posts WHERE id = newest.id AND edited_at IS NOT NULL LIMIT 1
        ) AS edited ON true"#,
        viewer,
        before,
        limit,
    );
    let row = database.one("stream.visible", row).await?;
    let posts = row.posts.into_iter().zip(row.edits);
    Ok((posts.collect(), row.floor.unwrap_or_default()))
}

/// These posts, without those that the viewer does not see.
pub async fn posts(database: &Database, viewer: Uuid, ids: &[Uuid]) -> sqlx::Result<Vec<Post>> {
    let rows = posts!(
        r#"/* stream.edited_posts */
        WITH page AS MATERIALIZED (
            SELECT post.id
            FROM posts AS post
            CROSS JOIN LATERAL visible($1, post.author, post.root, post.root_author) AS is_visible
            WHERE post.id = ANY ($2)
        )"#,
        columns: "",
        order_by: "page.id",
        viewer,
        ids,
    );
    let rows = database.all("stream.edited_posts", rows).await?;
    Ok(rows.into_iter().filter_map(|row| post!(row)).collect())
}

/// The root posts of `authors` that the viewer sees, for each author from the id at the same index of `from` on, without those in
/// `sent`.
pub async fn new_posts(
    database: &Database,
    viewer: Uuid,
    authors: &[Uuid],
    from: &[Uuid],
    sent: &[Uuid],
    limit: i64,
) -> sqlx::Result<Vec<Post>> {
    let rows = posts!(
        r#"/* stream.posts */
        WITH page AS MATERIALIZED (
            SELECT post.id
            FROM unnest($2::uuid[], $3::uuid[]) AS source (author, since)
            CROSS JOIN LATERAL (
                SELECT id
                FROM posts
                WHERE author = source.author AND id >= source.since AND reply_to IS NULL
                    AND id <> ALL ($4) AND (shared_with IS NULL OR (SELECT true FROM visible_root($1, id)))
                ORDER BY id
                LIMIT $5
            ) AS post
            ORDER BY post.id
            LIMIT $5
        )"#,
        columns: "",
        order_by: "page.id",
        viewer,
        authors,
        from,
        sent,
        limit,
    );
    let rows = database.all("stream.posts", rows).await?;
    Ok(rows.into_iter().filter_map(|row| post!(row)).collect())
}

/// The latest messages of the viewer's conversations since `oldest`: the ids of conversation and message.
pub async fn latest_messages(
    database: &Database,
    viewer: Uuid,
    oldest: Uuid,
) -> sqlx::Result<Vec<(Uuid, Uuid)>> {
    let rows = sqlx::query!(
        r#"/* stream.messages */
        SELECT member.conversation, message.id
        FROM members AS member
        CROSS JOIN LATERAL (
            SELECT id
            FROM messages
            WHERE conversation = member.conversation AND id >= $2 AND (member.since IS NULL OR id > member.since)
            ORDER BY id DESC
            LIMIT $3
        ) AS message
        WHERE member.user_id = $1 AND member.activity >= $2"#,
        viewer,
        oldest,
        MAX_LATEST,
    );
    let rows = database.all("stream.messages", rows).await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.conversation, row.id))
        .collect())
}

/// New messages of the viewer's conversations, each with the conversation's id. Includes the viewer's own messages, which
/// may come from another device.
pub async fn new_messages(
    database: &Database,
    viewer: Uuid,
    since: &Since,
    limit: i64,
) -> sqlx::Result<Vec<(Uuid, Message)>> {
    // A message is in its conversation's partition: the low six bits of the conversation's id.
    let rows = sqlx::query!(
        r#"/* stream.new_messages */
        SELECT member.conversation, message.id, message.sender, message.text, message.created_at
        FROM members AS member
        CROSS JOIN LATERAL (
            SELECT id, sender, text, created_at
            FROM messages
            WHERE conversation = member.conversation
                AND id >= ($2::uuid[])[1 + (get_byte(uuid_send(member.conversation), 15) & 63)]
                AND id <> ALL ($3) AND (member.since IS NULL OR id > member.since)
            ORDER BY id
            LIMIT $4
        ) AS message
        WHERE member.user_id = $1 AND member.activity >= $5
        ORDER BY message.id
        LIMIT $4"#,
        viewer,
        &since.from,
        &since.sent,
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

/// The latest notification of each partition since `oldest`, and all notifications since `recent`: an id that carries the
/// partition, and the notification's id.
pub async fn latest_notifications(
    database: &Database,
    viewer: Uuid,
    oldest: Uuid,
    recent: Uuid,
) -> sqlx::Result<Vec<(Uuid, Uuid)>> {
    let rows = sqlx::query!(
        r#"/* stream.notifications */
        (
            SELECT DISTINCT ON (get_byte(uuid_send(coalesce(post, viewer)), 15) & 63)
                coalesce(post, viewer) AS "origin!", id AS "id!"
            FROM notifications
            WHERE viewer = $1 AND id >= $2
            ORDER BY get_byte(uuid_send(coalesce(post, viewer)), 15) & 63, id DESC
        ) UNION (
            SELECT coalesce(post, viewer), id
            FROM notifications
            WHERE viewer = $1 AND id >= $3
        )"#,
        viewer,
        oldest,
        recent,
    );
    let rows = database.all("stream.notifications", rows).await?;
    Ok(rows.into_iter().map(|row| (row.origin, row.id)).collect())
}

/// New notifications, each with an id that carries its partition: for a follow the viewer's, for a like or a reply the
/// post's.
pub async fn new_notifications(
    database: &Database,
    viewer: Uuid,
    since: &Since,
    limit: i64,
) -> sqlx::Result<Vec<(Uuid, Notification)>> {
    let rows = notifications!(
        r#"/* stream.new_notifications */
        WITH page AS MATERIALIZED (
            SELECT
                id, actor, post, reply, connection, coalesce(post, viewer) AS origin,
                coalesce(id <= (SELECT up_to FROM notification_marks WHERE viewer = $1), false) AS read
            FROM notifications
            WHERE viewer = $1 AND id >= $5 AND id <> ALL ($3)
                AND (SELECT true FROM mutes WHERE muted = actor AND muter = $1) IS NULL
                AND (SELECT true FROM blocked_pairs WHERE account = actor AND other = $1) IS NULL
                AND (reply IS NULL OR own_thread OR (
                    SELECT true FROM posts CROSS JOIN LATERAL visible($1, author, root, root_author) AS is_visible
                    WHERE posts.id = reply
                ))
                AND id >= ($2::uuid[])[1 + (get_byte(uuid_send(coalesce(post, viewer)), 15) & 63)]
            ORDER BY id
            LIMIT $4
        )"#,
        columns: r#"page.origin AS "origin!","#,
        order_by: "page.id",
        viewer,
        &since.from,
        &since.sent,
        limit,
        since.least(),
    );
    let rows = database.all("stream.new_notifications", rows).await?;
    let notifications = rows
        .into_iter()
        .filter_map(|row| Some((row.origin, notification!(row)?)));
    Ok(notifications.collect())
}

/// How many messages are unread in all conversations together that the viewer has not muted, and how many notifications.
pub async fn unread(database: &Database, viewer: Uuid) -> sqlx::Result<(i64, i64)> {
    let row = with_notified!(
        with_unread_messages,
        (query, ("/* stream.unread */ WITH " +), ", " +),
        r#"
        SELECT
            (SELECT unread FROM unread_messages) AS "messages!", (SELECT unread FROM notified) AS "notifications!""#,
        viewer,
    );
    let row = database.one("stream.unread", row).await?;
    Ok((row.messages, row.notifications))
}
