//! The conversations of a viewer, and the messages of a conversation.

use feedmill_service::Database;
use uuid::Uuid;

use crate::views::{AccountSummary, Conversation, Message};

/// A conversation in the list of one of its members.
pub struct ListedConversation {
    /// The key of the list: the id of the last message, or of the conversation while it has none.
    pub activity: Uuid,
    pub conversation: Conversation,
}

/// The viewer's conversations before the activity `before`, latest activity first; and the number of unread messages in
/// all conversations together.
pub async fn page(
    database: &Database,
    viewer: Uuid,
    before: Option<Uuid>,
    limit: i64,
) -> sqlx::Result<(Vec<ListedConversation>, i64)> {
    let rows = sqlx::query!(
        r#"/* conversation.page */
        WITH total AS (
            SELECT coalesce(sum(unread_count), 0)::bigint AS unread
            FROM members
            WHERE user_id = $1 AND unread_count > 0
        ), page AS MATERIALIZED (
            SELECT conversation AS id, activity, unread_count
            FROM members
            WHERE user_id = $1 AND activity < $2
            ORDER BY activity DESC
            LIMIT $3
        )
        SELECT
            total.unread AS "unread_total!",
            page.id AS "id?", page.activity AS "activity?", page.unread_count AS "unread_count?",
            conversation.title AS "title?", conversation.message_count AS "message_count?",
            people.ids AS "member_ids?", people.handles AS "member_handles?", people.names AS "member_names?",
            message.id AS "message_id?", message.sender AS "sender?", message.text AS "text?",
            message.created_at AS "created_at?"
        FROM total
        LEFT JOIN page ON true
        LEFT JOIN LATERAL (
            SELECT title, message_count, last_message FROM conversations WHERE id = page.id LIMIT 1
        ) AS conversation ON true
        LEFT JOIN LATERAL (
            SELECT id, sender, text, created_at
            FROM messages
            WHERE messages.conversation = page.id AND id = conversation.last_message
            LIMIT 1
        ) AS message ON true
        CROSS JOIN LATERAL (
            SELECT
                array_agg(member.user_id) AS ids,
                array_agg(coalesce(account.handle, '')) AS handles,
                array_agg(coalesce(account.display_name, '')) AS names
            FROM members AS member
            LEFT JOIN LATERAL (
                SELECT handle, display_name FROM accounts WHERE id = member.user_id LIMIT 1
            ) AS account ON true
            WHERE member.conversation = page.id
        ) AS people
        ORDER BY page.activity DESC"#,
        viewer,
        before.unwrap_or(Uuid::max()),
        limit,
    );
    let rows = database.all("conversation.page", rows).await?;
    let unread_total = rows.first().map_or(0, |row| row.unread_total);
    let listed = rows.into_iter().filter_map(|row| {
        let mut members: Vec<_> = row
            .member_ids?
            .into_iter()
            .zip(row.member_handles?)
            .zip(row.member_names?)
            .map(|((id, handle), display_name)| AccountSummary {
                id,
                handle,
                display_name,
            })
            .collect();
        // Ordering within the three aggregates took a fifth of the statement's time.
        members.sort_unstable_by_key(|member: &AccountSummary| member.id);
        let last_message = match (row.message_id, row.sender, row.text, row.created_at) {
            (Some(id), Some(sender_id), Some(text), Some(created_at)) => Some(Message {
                id,
                sender_id,
                text,
                created_at,
            }),
            _ => None,
        };
        Some(ListedConversation {
            activity: row.activity?,
            conversation: Conversation {
                id: row.id?,
                title: row.title,
                members,
                message_count: row.message_count.unwrap_or(0),
                unread_count: row.unread_count?,
                last_message,
            },
        })
    });
    Ok((listed.collect(), unread_total))
}

/// The messages before the message `before`, newest first. None if there is no such conversation or the viewer is not a
/// member of it: the two must look the same.
pub async fn messages(
    database: &Database,
    viewer: Uuid,
    id: Uuid,
    before: Option<Uuid>,
    limit: i64,
) -> sqlx::Result<Option<Vec<Message>>> {
    let rows = sqlx::query!(
        r#"/* conversation.messages */
        SELECT
            message.id AS "id?", message.sender AS "sender?", message.text AS "text?",
            message.created_at AS "created_at?"
        FROM (SELECT FROM members WHERE user_id = $1 AND conversation = $2 LIMIT 1) AS member
        LEFT JOIN LATERAL (
            SELECT id, sender, text, created_at
            FROM messages
            WHERE conversation = $2 AND id < $3
            ORDER BY id DESC
            LIMIT $4
        ) AS message ON true
        ORDER BY message.id DESC"#,
        viewer,
        id,
        before.unwrap_or(Uuid::max()),
        limit,
    );
    let rows = database.all("conversation.messages", rows).await?;
    if rows.is_empty() {
        return Ok(None);
    }
    let messages = rows.into_iter().filter_map(|row| {
        Some(Message {
            id: row.id?,
            sender_id: row.sender?,
            text: row.text?,
            created_at: row.created_at?,
        })
    });
    Ok(Some(messages.collect()))
}
