//! The statements for conversations and messages. Each does nothing, at no cost, when it has nothing to do.

use feedmill_service::sql::named;
use sqlx::{PgConnection, query, query_as};
use uuid::Uuid;

use super::fold::{Changes, DeletedMessage};
use crate::error::{ApplyError, expect_rows};

pub async fn insert_conversations(
    changes: &Changes<'_>,
    db: &mut PgConnection,
) -> Result<(), ApplyError> {
    if changes.created.is_empty() {
        return Ok(());
    }
    let created = || changes.created.iter();
    let statement = query!(
        "/* conversations.insert_conversations */
        INSERT INTO conversations (id, title, pair) SELECT * FROM unnest($1::uuid[], $2::text[], $3::boolean[])",
        &created().map(|new| new.id).collect::<Vec<_>>(),
        &created().map(|new| new.title).collect::<Vec<_>>() as &[Option<&str>],
        &created().map(|new| new.members.len() == 2).collect::<Vec<_>>(),
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

pub async fn insert_messages(
    changes: &Changes<'_>,
    db: &mut PgConnection,
) -> Result<(), ApplyError> {
    if changes.messages.is_empty() {
        return Ok(());
    }
    let messages = || changes.messages.values();
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

/// Returns the deleted messages, whose counts are then subtracted.
pub async fn delete_messages(
    changes: &Changes<'_>,
    db: &mut PgConnection,
) -> Result<Vec<DeletedMessage>, ApplyError> {
    let (conversations, ids): (Vec<Uuid>, Vec<Uuid>) = changes.deleted.iter().copied().unzip();
    if ids.is_empty() {
        return Ok(vec![]);
    }
    let statement = query_as!(
        DeletedMessage,
        "/* conversations.delete_messages */
        DELETE FROM messages m USING unnest($1::uuid[], $2::uuid[]) AS n(conversation, id)
        WHERE m.conversation = n.conversation AND m.id = n.id
        RETURNING m.conversation, m.id, m.sender",
        &conversations,
        &ids,
    );
    let deleted = named("conversations.delete_messages", statement.fetch_all(db)).await?;
    expect_rows(
        "conversations.delete_messages",
        ids.len(),
        deleted.len() as u64,
    )?;
    Ok(deleted)
}

/// The message before a deleted last one becomes the last one.
pub async fn subtract_messages(
    changes: &Changes<'_>,
    db: &mut PgConnection,
) -> Result<(), ApplyError> {
    if changes.deleted.is_empty() {
        return Ok(());
    }
    let conversations = changes
        .deleted
        .iter()
        .map(|(conversation, _)| *conversation);
    let statement = query!(
        "/* conversations.subtract_messages */
        UPDATE conversations c SET
            message_count = c.message_count - d.count,
            last_message = (SELECT id FROM messages WHERE conversation = c.id ORDER BY id DESC LIMIT 1)
        FROM (SELECT n.id, count(*) AS count FROM unnest($1::uuid[]) AS n(id) GROUP BY n.id) AS d
        WHERE c.id = d.id",
        &conversations.collect::<Vec<_>>(),
    );
    named("conversations.subtract_messages", statement.execute(db)).await?;
    Ok(())
}
