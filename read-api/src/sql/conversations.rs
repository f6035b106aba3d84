//! The conversations of a viewer, and the messages of a conversation.

use chrono::{DateTime, Utc};
use feedmill_service::Database;
use uuid::Uuid;

use super::unread::with_unread_messages;
use crate::{
    seek::Seek,
    views::{
        AccountSummary, Conversation, ConversationState, ConversationWithMarks, Member, Message,
    },
};

/// A page of the viewer's conversations.
pub struct ConversationList {
    pub listed: Vec<ListedConversation>,
    /// All conversations, also those on other pages.
    pub total: i64,
    /// Unread messages in all conversations together that the viewer has not muted and that no block closes.
    pub unread_total: i64,
}

/// A conversation in the list of one of its members.
pub struct ListedConversation {
    /// The key of the list: the id of the last message, or of the conversation while it has none.
    pub activity: Uuid,
    pub conversation: Conversation,
}

/// The columns that [`conversations!`] selects. The first ones are NULL in a row that has no conversation.
struct ConversationRow {
    id: Option<Uuid>,
    unread_count: Option<i64>,
    muted: Option<bool>,
    title: Option<String>,
    message_count: Option<i64>,
    member_ids: Option<Vec<Uuid>>,
    member_handles: Option<Vec<String>>,
    member_names: Option<Vec<String>>,
    message_id: Option<Uuid>,
    sender: Option<Uuid>,
    text: Option<String>,
    created_at: Option<DateTime<Utc>>,
}

impl ConversationRow {
    /// The conversation and its members. `member` makes a member of an account and its index in the row.
    fn into_conversation<M>(
        self,
        member: impl Fn(usize, AccountSummary) -> M,
    ) -> Option<(ConversationState, Vec<M>)> {
        let mut accounts: Vec<_> = self
            .member_ids?
            .into_iter()
            .zip(self.member_handles?)
            .zip(self.member_names?)
            .map(|((id, handle), display_name)| AccountSummary {
                id,
                handle,
                display_name,
            })
            .enumerate()
            .collect();
        // Ordering within the three aggregates took a fifth of the statement's time.
        accounts.sort_unstable_by_key(|(_, account)| account.id);
        let members = accounts.into_iter();
        let last_message = match (self.message_id, self.sender, self.text, self.created_at) {
            (Some(id), Some(sender_id), Some(text), Some(created_at)) => Some(Message {
                id,
                sender_id,
                text,
                created_at,
            }),
            _ => None,
        };
        let members = members.map(|(index, account)| member(index, account));
        let state = ConversationState {
            id: self.id?,
            title: self.title,
            message_count: self.message_count.unwrap_or(0),
            unread_count: self.unread_count?,
            muted: self.muted?,
            last_message,
        };
        Some((state, members.collect()))
    }
}

/// `sqlx::query!` of a statement whose rows are conversations, as `posts!` for posts. The CTE `page` has the columns
/// `id`, `activity`, `unread_count`, `muted`, `since` and `hidden_count` of the viewer's memberships. `of_members` are
/// further aggregates of `members AS member`, each after a comma.
macro_rules! conversations {
    ($with:tt $(+ $more:tt)*, columns: $columns:tt, of_members: $of_members:tt, $($argument:expr),+ $(,)?) => {
        sqlx::query!(
            $with $(+ $more)*
                + " SELECT "
                + $columns
                + r#"
            page.id AS "id?", page.activity AS "activity?", page.unread_count AS "unread_count?",
            page.muted AS "muted?",
            conversation.title AS "title?",
            conversation.message_count - page.hidden_count AS "message_count?",
            people.ids AS "member_ids?", people.handles AS "member_handles?", people.names AS "member_names?",
            message.id AS "message_id?", message.sender AS "sender?", message.text AS "text?",
            message.created_at AS "created_at?"
        FROM page
        LEFT JOIN LATERAL (
            SELECT title, message_count, last_message, pair FROM conversations WHERE id = page.id LIMIT 1
        ) AS conversation ON true
        LEFT JOIN LATERAL (
            SELECT id, sender, text, created_at
            FROM messages
            WHERE messages.conversation = page.id AND id = conversation.last_message
                AND (page.since IS NULL OR id > page.since)
            LIMIT 1
        ) AS message ON true
        CROSS JOIN LATERAL (
            SELECT
                array_agg(member.user_id) AS ids,
                array_agg(coalesce(account.handle, '')) AS handles,
                array_agg(coalesce(account.display_name, '')) AS names"#
                + $of_members
                + "
            FROM members AS member
            LEFT JOIN LATERAL (
                SELECT handle, display_name FROM accounts WHERE id = member.user_id LIMIT 1
            ) AS account ON true
            WHERE member.conversation = page.id
        ) AS people
        ORDER BY page.activity DESC",
            $($argument),+
        )
    };
}

/// [`conversations!`] with the totals in each row.
macro_rules! listed_conversations {
    ($with:tt $(+ $more:tt)*, $($argument:expr),+ $(,)?) => {
        conversations!(
            $with $(+ $more)*,
            columns: r#"page.total AS "total!", page.unread_total AS "unread_total!","#,
            of_members: "",
            $($argument),+
        )
    };
}

/// The [`ConversationRow`] of a row of [`conversations!`].
macro_rules! conversation_row {
    ($row:expr) => {
        ConversationRow {
            id: $row.id,
            unread_count: $row.unread_count,
            muted: $row.muted,
            title: $row.title,
            message_count: $row.message_count,
            member_ids: $row.member_ids,
            member_handles: $row.member_handles,
            member_names: $row.member_names,
            message_id: $row.message_id,
            sender: $row.sender,
            text: $row.text,
            created_at: $row.created_at,
        }
    };
}

/// The viewer's conversations, latest activity first.
pub async fn page(
    database: &Database,
    viewer: Uuid,
    seek: Seek<Uuid>,
    limit: i64,
) -> sqlx::Result<ConversationList> {
    let (after, before) = seek.descending();
    let rows = with_unread_messages!(
        listed_conversations,
        ("/* conversation.page */ WITH " +),
        r#", totals AS (
            SELECT
                coalesce((SELECT conversations FROM conversation_counts WHERE user_id = $1), 0) AS total,
                unread AS unread_total
            FROM unread_messages
        ), listed AS MATERIALIZED (
            (
                SELECT conversation AS id, activity, unread_count, muted, since, hidden_count
                FROM members
                WHERE user_id = $1 AND activity < $2
                ORDER BY activity DESC
                LIMIT $4
            ) UNION ALL (
                SELECT conversation, activity, unread_count, muted, since, hidden_count
                FROM members
                WHERE user_id = $1 AND activity > $3
                ORDER BY activity
                LIMIT $4
            )
        ), page AS (
            SELECT listed.*, totals.*
            FROM totals
            LEFT JOIN listed ON true
        )"#,
        viewer,
        after,
        before,
        limit,
    );
    let rows = database.all("conversation.page", rows).await?;
    // Each row has the totals, and there is one row even without a conversation.
    let (total, unread_total) = rows
        .first()
        .map_or((0, 0), |row| (row.total, row.unread_total));
    let listed = rows.into_iter().filter_map(|row| {
        let activity = row.activity?;
        let (state, members) = conversation_row!(row).into_conversation(|_, account| account)?;
        Some(ListedConversation {
            activity,
            conversation: Conversation { state, members },
        })
    });
    Ok(ConversationList {
        listed: listed.collect(),
        total,
        unread_total,
    })
}

/// One conversation. None if there is no such conversation or the viewer is not a member of it: the two must look the
/// same.
pub async fn one(
    database: &Database,
    viewer: Uuid,
    id: Uuid,
) -> sqlx::Result<Option<ConversationWithMarks>> {
    let row = conversations!(
        r#"/* conversation.one */
        WITH page AS MATERIALIZED (
            SELECT conversation AS id, activity, unread_count, muted, since, hidden_count
            FROM members
            WHERE user_id = $1 AND conversation = $2
        )"#,
        columns: r#"people.marks AS "marks?: Vec<Option<Uuid>>","#,
        // In a conversation of two people with a block between them, neither sees the mark of the other.
        of_members: ", array_agg(
                    CASE WHEN conversation.pair AND member.user_id <> $1 AND (
                        SELECT true FROM blocked_pairs WHERE account = member.user_id AND other = $1
                    ) THEN NULL ELSE member.read_up_to END
                ) AS marks",
        viewer,
        id,
    );
    let Some(row) = database.optional("conversation.one", row).await? else {
        return Ok(None);
    };
    let marks = row.marks.unwrap_or_default();
    let conversation = conversation_row!(row).into_conversation(|index, account| Member {
        account,
        read_up_to: marks.get(index).copied().flatten(),
    });
    Ok(conversation.map(|(state, members)| ConversationWithMarks { state, members }))
}

/// One message of a conversation. None also if the viewer is not a member of the conversation, or was added after it.
pub async fn message(
    database: &Database,
    viewer: Uuid,
    conversation: Uuid,
    id: Uuid,
) -> sqlx::Result<Option<Message>> {
    let row = sqlx::query!(
        r#"/* conversation.message */
        SELECT message.id, message.sender, message.text, message.created_at
        FROM (SELECT since FROM members WHERE user_id = $1 AND conversation = $2 LIMIT 1) AS member
        CROSS JOIN LATERAL (
            SELECT id, sender, text, created_at
            FROM messages
            WHERE conversation = $2 AND id = $3 AND (member.since IS NULL OR id > member.since)
            LIMIT 1
        ) AS message"#,
        viewer,
        conversation,
        id,
    );
    let row = database.optional("conversation.message", row).await?;
    Ok(row.map(|row| Message {
        id: row.id,
        sender_id: row.sender,
        text: row.text,
        created_at: row.created_at,
    }))
}

/// The messages of a conversation that the viewer may see, newest first. None if there is no such conversation or the
/// viewer is not a member of it: the two must look the same.
pub async fn messages(
    database: &Database,
    viewer: Uuid,
    id: Uuid,
    seek: Seek<Uuid>,
    limit: i64,
) -> sqlx::Result<Option<Vec<Message>>> {
    let (after, before) = seek.descending();
    let rows = sqlx::query!(
        r#"/* conversation.messages */
        SELECT
            message.id AS "id?", message.sender AS "sender?", message.text AS "text?",
            message.created_at AS "created_at?"
        FROM (
            SELECT coalesce(since, $6) AS since FROM members WHERE user_id = $1 AND conversation = $2 LIMIT 1
        ) AS member
        LEFT JOIN LATERAL (
            (
                SELECT id, sender, text, created_at
                FROM messages
                WHERE conversation = $2 AND id < $3 AND id > member.since
                ORDER BY id DESC
                LIMIT $5
            ) UNION ALL (
                SELECT id, sender, text, created_at
                FROM messages
                WHERE conversation = $2 AND id > greatest($4, member.since)
                ORDER BY id
                LIMIT $5
            )
        ) AS message ON true
        ORDER BY message.id DESC"#,
        viewer,
        id,
        after,
        before,
        limit,
        Uuid::nil(),
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
