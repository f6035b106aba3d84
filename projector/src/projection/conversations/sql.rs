//! The statements of the conversations projection. Each does nothing, at no cost, when it has nothing to do.

use feedmill_service::sql::named;
use sqlx::{PgConnection, query, query_scalar};
use uuid::Uuid;

use super::fold::Changes;
use crate::error::{ApplyError, expect_rows};

pub async fn insert_conversations(
    changes: &Changes<'_>,
    db: &mut PgConnection,
) -> Result<(), ApplyError> {
    let (ids, titles): (Vec<Uuid>, Vec<Option<&str>>) = changes
        .created
        .iter()
        .map(|conversation| (conversation.id, conversation.title))
        .unzip();
    if ids.is_empty() {
        return Ok(());
    }
    let statement = query!(
        "/* conversations.insert_conversations */
        INSERT INTO conversations (id, title) SELECT * FROM unnest($1::uuid[], $2::text[])",
        &ids,
        &titles as &[Option<&str>],
    );
    named("conversations.insert_conversations", statement.execute(db)).await?;
    Ok(())
}

pub async fn rename(changes: &Changes<'_>, db: &mut PgConnection) -> Result<(), ApplyError> {
    if changes.titles.is_empty() {
        return Ok(());
    }
    let statement = query!(
        "/* conversations.rename */
        UPDATE conversations c SET title = n.title
        FROM unnest($1::uuid[], $2::text[]) AS n(id, title)
        WHERE c.id = n.id",
        &changes.titles.keys().copied().collect::<Vec<_>>(),
        &changes.titles.values().copied().collect::<Vec<_>>() as &[Option<&str>],
    );
    let done = named("conversations.rename", statement.execute(db)).await?;
    expect_rows(
        "conversations.rename",
        changes.titles.len(),
        done.rows_affected(),
    )
}

/// The members of the conversations that have a new title.
pub async fn members_of_renamed(
    changes: &Changes<'_>,
    db: &mut PgConnection,
) -> Result<Vec<Uuid>, ApplyError> {
    if changes.titles.is_empty() {
        return Ok(vec![]);
    }
    let statement = query_scalar!(
        "/* conversations.members_of_renamed */
        SELECT user_id FROM members WHERE conversation = ANY($1)",
        &changes.titles.keys().copied().collect::<Vec<_>>(),
    );
    Ok(named("conversations.members_of_renamed", statement.fetch_all(db)).await?)
}

pub async fn insert_members(
    changes: &Changes<'_>,
    db: &mut PgConnection,
) -> Result<(), ApplyError> {
    let (users, conversations): (Vec<Uuid>, Vec<Uuid>) = changes
        .created
        .iter()
        .flat_map(|conversation| {
            conversation
                .members
                .iter()
                .map(|member| (*member, conversation.id))
        })
        .unzip();
    if users.is_empty() {
        return Ok(());
    }
    let statement = query!(
        "/* conversations.insert_members */
        INSERT INTO members (user_id, conversation, activity)
        SELECT m.user_id, m.conversation, m.conversation
        FROM unnest($1::uuid[], $2::uuid[]) AS m(user_id, conversation)",
        &users,
        &conversations,
    );
    named("conversations.insert_members", statement.execute(db)).await?;
    Ok(())
}

pub async fn count_conversations(
    changes: &Changes<'_>,
    db: &mut PgConnection,
) -> Result<(), ApplyError> {
    let (users, counts): (Vec<Uuid>, Vec<i64>) = changes.joined().into_iter().unzip();
    if users.is_empty() {
        return Ok(());
    }
    let statement = query!(
        "/* conversations.count_conversations */
        INSERT INTO conversation_counts AS c (user_id, conversations)
        SELECT * FROM unnest($1::uuid[], $2::bigint[])
        ON CONFLICT (user_id) DO UPDATE SET conversations = c.conversations + excluded.conversations",
        &users,
        &counts,
    );
    named("conversations.count_conversations", statement.execute(db)).await?;
    Ok(())
}

pub async fn insert_messages(
    changes: &Changes<'_>,
    db: &mut PgConnection,
) -> Result<(), ApplyError> {
    if changes.messages.is_empty() {
        return Ok(());
    }
    let messages = || changes.messages.iter();
    let statement = query!(
        "/* conversations.insert_messages */
        INSERT INTO messages (conversation, id, sender, text, created_at)
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[])",
        &messages()
            .map(|message| message.conversation)
            .collect::<Vec<_>>(),
        &messages().map(|message| message.id).collect::<Vec<_>>(),
        &messages().map(|message| message.sender).collect::<Vec<_>>(),
        &messages().map(|message| message.text).collect::<Vec<_>>() as &[&str],
        &messages()
            .map(|message| message.created_at)
            .collect::<Vec<_>>(),
    );
    named("conversations.insert_messages", statement.execute(db)).await?;
    Ok(())
}

pub async fn add_messages(changes: &Changes<'_>, db: &mut PgConnection) -> Result<(), ApplyError> {
    if changes.totals.is_empty() {
        return Ok(());
    }
    let statement = query!(
        "/* conversations.add_messages */
        UPDATE conversations c SET
            message_count = c.message_count + t.count, last_message = greatest(c.last_message, t.last)
        FROM unnest($1::uuid[], $2::bigint[], $3::uuid[]) AS t(id, count, last)
        WHERE c.id = t.id",
        &changes.totals.keys().copied().collect::<Vec<_>>(),
        &changes.totals.values().map(|totals| totals.count).collect::<Vec<_>>(),
        &changes.totals.values().map(|totals| totals.last).collect::<Vec<_>>(),
    );
    let done = named("conversations.add_messages", statement.execute(db)).await?;
    expect_rows(
        "conversations.add_messages",
        changes.totals.len(),
        done.rows_affected(),
    )
}

/// Moves conversations with new messages up in the lists of all members, and counts the messages by others after a
/// member's read mark as unread (an imported message may be before it). Returns these members.
pub async fn count_unread(
    changes: &Changes<'_>,
    db: &mut PgConnection,
) -> Result<Vec<Uuid>, ApplyError> {
    if changes.messages.is_empty() {
        return Ok(vec![]);
    }
    let messages = || changes.messages.iter();
    let last = |conversation| {
        changes
            .totals
            .get(conversation)
            .map(|totals| totals.last)
            .unwrap_or_default()
    };
    let statement = query_scalar!(
        "/* conversations.count_unread */
        UPDATE members m SET
            activity = greatest(m.activity, d.last), unread_count = m.unread_count + d.unread
        FROM (
            SELECT o.user_id, o.conversation, n.last,
                count(*) FILTER (
                    WHERE n.sender <> o.user_id AND (o.read_up_to IS NULL OR n.id > o.read_up_to)
                ) AS unread
            FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[]) AS n(conversation, id, sender, last)
            JOIN members o ON o.conversation = n.conversation
            GROUP BY o.user_id, o.conversation, n.last
        ) d
        WHERE m.user_id = d.user_id AND m.conversation = d.conversation
        RETURNING m.user_id",
        &messages().map(|message| message.conversation).collect::<Vec<_>>(),
        &messages().map(|message| message.id).collect::<Vec<_>>(),
        &messages().map(|message| message.sender).collect::<Vec<_>>(),
        &messages().map(|message| last(&message.conversation)).collect::<Vec<_>>(),
    );
    Ok(named("conversations.count_unread", statement.fetch_all(db)).await?)
}

/// A read mark never moves back.
pub async fn move_marks(changes: &Changes<'_>, db: &mut PgConnection) -> Result<(), ApplyError> {
    if changes.marks.is_empty() {
        return Ok(());
    }
    let statement = query!(
        "/* conversations.move_marks */
        UPDATE members m SET
            read_up_to = r.up_to,
            unread_count = (
                SELECT count(*) FROM messages x
                WHERE x.conversation = m.conversation AND x.id > r.up_to AND x.sender <> m.user_id
            )
        FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS r(user_id, conversation, up_to)
        WHERE m.user_id = r.user_id AND m.conversation = r.conversation
            AND (m.read_up_to IS NULL OR m.read_up_to < r.up_to)",
        &changes.marks.keys().map(|key| key.0).collect::<Vec<_>>(),
        &changes.marks.keys().map(|key| key.1).collect::<Vec<_>>(),
        &changes.marks.values().copied().collect::<Vec<_>>(),
    );
    named("conversations.move_marks", statement.execute(db)).await?;
    Ok(())
}

pub async fn set_muted(changes: &Changes<'_>, db: &mut PgConnection) -> Result<(), ApplyError> {
    if changes.muted.is_empty() {
        return Ok(());
    }
    let statement = query!(
        "/* conversations.set_muted */
        UPDATE members m SET muted = n.muted
        FROM unnest($1::uuid[], $2::uuid[], $3::bool[]) AS n(user_id, conversation, muted)
        WHERE m.user_id = n.user_id AND m.conversation = n.conversation",
        &changes.muted.keys().map(|key| key.0).collect::<Vec<_>>(),
        &changes.muted.keys().map(|key| key.1).collect::<Vec<_>>(),
        &changes.muted.values().copied().collect::<Vec<_>>(),
    );
    named("conversations.set_muted", statement.execute(db)).await?;
    Ok(())
}
