//! The notifications of a viewer; and what all statements that return notifications share.

use chrono::DateTime;
use feedmill_events::id;
use feedmill_service::Database;
use uuid::Uuid;

use crate::{
    seek::Seek,
    views::{AccountSummary, Notification, NotificationPost, NotifiedAct},
};

/// The columns that [`notifications!`] selects. The first ones are NULL in a row that has no notification.
pub struct NotificationRow {
    pub id: Option<Uuid>,
    pub actor: Option<Uuid>,
    pub handle: Option<String>,
    pub display_name: Option<String>,
    pub post: Option<Uuid>,
    pub reply: Option<Uuid>,
    /// 1: a request for a connection; 2: one that was accepted.
    pub connection: Option<i16>,
    /// Of the reply, or of the liked post.
    pub text: Option<String>,
    pub reply_to: Option<Uuid>,
    pub read: Option<bool>,
}

impl NotificationRow {
    /// None also for an id whose time is out of range.
    pub fn into_notification(self) -> Option<Notification> {
        let id = self.id?;
        let text = self.text.unwrap_or_default();
        let act = match (self.post, self.reply) {
            (None, _) => match self.connection {
                None => NotifiedAct::Follow { post: () },
                Some(1) => NotifiedAct::ConnectionRequest { post: () },
                Some(_) => NotifiedAct::Connection { post: () },
            },
            (Some(id), None) => {
                let reply_to = self.reply_to;
                let post = NotificationPost { id, text, reply_to };
                NotifiedAct::Like { post }
            }
            (reply_to, Some(id)) => {
                let post = NotificationPost { id, text, reply_to };
                NotifiedAct::Reply { post }
            }
        };
        Some(Notification {
            id,
            act,
            actor: AccountSummary::from_columns(self.actor?, self.handle, self.display_name),
            created_at: DateTime::from_timestamp_millis(id::millis(id))?,
            read: self.read?,
        })
    }
}

/// `sqlx::query!` of a statement whose rows are notifications, as `posts!` for posts. The CTE `page` has the columns
/// `id`, `actor`, `post`, `reply`, `connection` and `read`.
macro_rules! notifications {
    ($with:tt $(+ $more:tt)*, columns: $columns:tt, order_by: $order:tt, $($argument:expr),+ $(,)?) => {
        sqlx::query!(
            $with $(+ $more)*
                + " SELECT "
                + $columns
                + r#"
            page.id AS "id?", page.actor AS "actor?", page.post AS "post?", page.reply AS "reply?",
            page.connection AS "connection?", page.read AS "read?",
            account.handle AS "handle?", account.display_name AS "display_name?",
            shown.text AS "text?", shown.reply_to AS "reply_to?"
        FROM page
        LEFT JOIN LATERAL (
            SELECT handle, display_name FROM accounts WHERE id = page.actor LIMIT 1
        ) AS account ON true
        LEFT JOIN LATERAL (
            SELECT text, reply_to FROM posts WHERE id = coalesce(page.reply, page.post) LIMIT 1
        ) AS shown ON true
        ORDER BY "#
                + $order,
            $($argument),+
        )
    };
}
pub(super) use notifications;

/// [`notifications!`] with the totals in each row, newest first.
macro_rules! listed_notifications {
    ($with:tt $(+ $more:tt)*, $($argument:expr),+ $(,)?) => {
        notifications!(
            $with $(+ $more)*,
            columns: r#"page.total AS "total!", page.unread AS "unread!","#,
            order_by: "page.id DESC",
            $($argument),+
        )
    };
}

/// The notification of a row of [`notifications!`]; None if the row has no notification.
macro_rules! notification {
    ($row:expr) => {
        $crate::sql::notifications::NotificationRow {
            id: $row.id,
            actor: $row.actor,
            handle: $row.handle,
            display_name: $row.display_name,
            post: $row.post,
            reply: $row.reply,
            connection: $row.connection,
            text: $row.text,
            reply_to: $row.reply_to,
            read: $row.read,
        }
        .into_notification()
    };
}
pub(super) use notification;

/// A page of the viewer's notifications.
pub struct NotificationList {
    pub listed: Vec<Notification>,
    /// All notifications, also those on other pages.
    pub total: i64,
    /// The unread ones of them.
    pub unread_count: i64,
}

/// The statement `$macro!($head… $rest, $arguments)`, with CTEs of the viewer `$1` between `$head` and `$rest`:
///
/// - `notification_mark`: up to which id the viewer has read the notifications; nil if never,
/// - `filter`: one row with `by_actor`, whether the viewer mutes anybody or has a block with anybody,
/// - `notified`: `total`, how many notifications the viewer has, and `unread`, how many of them are after the mark.
///
/// Without the filter, these are the stored total and the number of rows after the mark, without those replies in threads of others that
/// the viewer does not see any more: each reply in such a thread is looked up. With the filter, every notification is looked up.
macro_rules! with_notified {
    ($macro:ident, ($($head:tt)+), $rest:tt $(+ $more:tt)*, $($argument:expr),+ $(,)?) => {
        $macro!(
            $($head)+
                r#"notification_mark AS MATERIALIZED (
            SELECT coalesce(
                (SELECT up_to FROM notification_marks WHERE viewer = $1), '00000000-0000-0000-0000-000000000000'
            ) AS up_to
        ), filter AS MATERIALIZED (
            SELECT EXISTS (SELECT FROM mutes WHERE muter = $1)
                OR EXISTS (SELECT FROM blocked_pairs WHERE other = $1) AS by_actor
        ), hidden AS MATERIALIZED (
            SELECT count(*) AS total, count(*) FILTER (WHERE id > (SELECT up_to FROM notification_mark)) AS unread
            FROM notifications
            WHERE viewer = $1 AND reply IS NOT NULL AND NOT own_thread
                AND (SELECT true FROM posts CROSS JOIN LATERAL visible($1, author, root, root_author) AS is_visible
                    WHERE posts.id = reply) IS NULL
        ), notified AS MATERIALIZED (
            SELECT counted.*
            FROM filter
            CROSS JOIN LATERAL (
                SELECT count(*) AS total, count(*) FILTER (WHERE id > (SELECT up_to FROM notification_mark)) AS unread
                FROM notifications
                WHERE viewer = $1 AND filter.by_actor
                    AND (SELECT true FROM mutes WHERE muted = actor AND muter = $1) IS NULL
                    AND (SELECT true FROM blocked_pairs WHERE account = actor AND other = $1) IS NULL
                    AND (reply IS NULL OR own_thread OR (
                        SELECT true FROM posts CROSS JOIN LATERAL visible($1, author, root, root_author) AS is_visible
                        WHERE posts.id = reply
                    ))
                HAVING filter.by_actor
                UNION ALL
                SELECT
                    coalesce((SELECT total FROM notification_totals WHERE viewer = $1), 0) - (SELECT total FROM hidden),
                    (SELECT count(*) FROM notifications WHERE viewer = $1 AND id > (SELECT up_to FROM notification_mark))
                        - (SELECT unread FROM hidden)
                WHERE NOT filter.by_actor
            ) AS counted
        )"#
                + $rest $(+ $more)*,
            $($argument),+
        )
    };
}
pub(super) use with_notified;

/// The viewer's notifications, newest first. To count the unread ones reads each of them, from the index alone where
/// vacuum has run: 9 ms for 100,000. For a viewer who mutes or blocks somebody, or is blocked, all are read and looked up.
pub async fn page(
    database: &Database,
    viewer: Uuid,
    seek: Seek<Uuid>,
    limit: i64,
) -> sqlx::Result<NotificationList> {
    let (after, before) = seek.descending();
    let rows = with_notified!(
        listed_notifications,
        ("/* notification.page */ WITH " +),
        r#", listed AS MATERIALIZED (
            (
                SELECT id, actor, post, reply, connection
                FROM notifications
                WHERE viewer = $1 AND id < $2
                    AND (SELECT true FROM mutes WHERE muted = actor AND muter = $1) IS NULL
                    AND (SELECT true FROM blocked_pairs WHERE account = actor AND other = $1) IS NULL
                    AND (reply IS NULL OR own_thread OR (
                        SELECT true FROM posts CROSS JOIN LATERAL visible($1, author, root, root_author) AS is_visible
                        WHERE posts.id = reply
                    ))
                ORDER BY id DESC
                LIMIT $4
            ) UNION ALL (
                SELECT id, actor, post, reply, connection
                FROM notifications
                WHERE viewer = $1 AND id > $3
                    AND (SELECT true FROM mutes WHERE muted = actor AND muter = $1) IS NULL
                    AND (SELECT true FROM blocked_pairs WHERE account = actor AND other = $1) IS NULL
                    AND (reply IS NULL OR own_thread OR (
                        SELECT true FROM posts CROSS JOIN LATERAL visible($1, author, root, root_author) AS is_visible
                        WHERE posts.id = reply
                    ))
                ORDER BY id
                LIMIT $4
            )
        ), page AS (
            SELECT listed.*, listed.id <= notification_mark.up_to AS read, notified.total, notified.unread
            FROM notification_mark
            CROSS JOIN notified
            LEFT JOIN listed ON true
        )"#,
        viewer,
        after,
        before,
        limit,
    );
    let rows = database.all("notification.page", rows).await?;
    // Each row has the totals, and there is one row even without a notification.
    let (total, unread_count) = rows.first().map_or((0, 0), |row| (row.total, row.unread));
    let listed = rows.into_iter().filter_map(|row| notification!(row));
    Ok(NotificationList {
        listed: listed.collect(),
        total,
        unread_count,
    })
}
