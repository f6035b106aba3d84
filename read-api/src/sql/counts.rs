//! How much a viewer has not read.

use feedmill_service::Database;
use sqlx::query;
use uuid::Uuid;

use super::{
    notifications::with_notified,
    unread::{with_floor, with_lanes, with_mark, with_unread, with_unread_messages},
};

pub struct UnreadCounts {
    /// Posts of the feed, 1,000 at most.
    pub feed: i64,
    /// Messages in all conversations together.
    pub conversations: i64,
    pub notifications: i64,
    /// Requests for a connection that the viewer has not answered.
    pub connection_requests: i64,
    /// All accounts whose posts come to the viewer's feed; None unless requested.
    pub followees: Option<Vec<Uuid>>,
}

/// The counts, as the lists have them, and `with_followees` also the followed accounts.
pub async fn unread(
    database: &Database,
    viewer: Uuid,
    with_followees: bool,
) -> sqlx::Result<UnreadCounts> {
    let row = with_notified!(
        with_unread_messages,
        (with_unread, (query, "/* counts.unread */", ", " +), ", " +),
        r#"
        SELECT
            (SELECT posts FROM unread) AS "feed!",
            (SELECT unread FROM unread_messages) AS "conversations!",
            (SELECT unread FROM notified) AS "notifications!",
            coalesce(
                (SELECT requests_received FROM account_counts WHERE account = $1), 0
            ) AS "connection_requests!",
            CASE WHEN $2 THEN array(SELECT author FROM feed_sources WHERE viewer = $1) END AS followees"#,
        viewer,
        with_followees
    );
    let row = database.one("counts.unread", row).await?;
    Ok(UnreadCounts {
        feed: row.feed,
        conversations: row.conversations,
        notifications: row.notifications,
        connection_requests: row.connection_requests,
        followees: row.followees,
    })
}
