//! Loads conversations and messages, and saves conversations, members and messages. `domain/storage.rs` loads the members, in the
//! statement for the rows that most commands need.

use chrono::{DateTime, Utc};
use feedmill_events::id;
use feedmill_service::sql::named;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Conversation, Conversations, Extent, Member};
use crate::domain::clock::time;

pub async fn load(
    connection: &mut PgConnection,
    conversations: &mut Conversations,
) -> sqlx::Result<()> {
    load_pairs(&mut *connection, conversations).await?;
    load_rows(&mut *connection, conversations).await?;
    load_messages(connection, conversations).await
}

async fn load_pairs(
    connection: &mut PgConnection,
    conversations: &mut Conversations,
) -> sqlx::Result<()> {
    let pairs = conversations.pairs.take_requested();
    if pairs.is_empty() {
        return Ok(());
    }
    let (low, high): (Vec<Uuid>, Vec<Uuid>) = pairs.into_iter().unzip();
    let query = sqlx::query!(
        "/* state.pairs.load */ SELECT c.id, c.title, n.low AS \"low!\", n.high AS \"high!\"
         FROM unnest($1::uuid[], $2::uuid[]) AS n(low, high)
         JOIN write.conversations c ON c.pair_low = n.low AND c.pair_high = n.high",
        &low,
        &high
    );
    for row in named("state.pairs.load", query.fetch_all(connection)).await? {
        let pair = (row.low, row.high);
        let conversation = Conversation {
            title: row.title,
            pair: Some(pair),
        };
        conversations.pairs.load(pair, row.id);
        conversations.rows.load(row.id, conversation);
    }
    Ok(())
}

async fn load_rows(
    connection: &mut PgConnection,
    conversations: &mut Conversations,
) -> sqlx::Result<()> {
    let ids = conversations.rows.take_requested();
    if ids.is_empty() {
        return Ok(());
    }
    let query = sqlx::query!(
        r#"/* state.conversations.load */
        SELECT id, title, pair_low, pair_high,
            (
                SELECT count(*) FROM write.members m WHERE m.conversation_id = c.id AND m.left_at IS NULL
            ) AS "members!",
            (
                SELECT m.id FROM write.messages m WHERE m.conversation_id = c.id ORDER BY m.id DESC LIMIT 1
            ) AS last_message
        FROM write.conversations c WHERE id = ANY($1)"#,
        &ids
    );
    for row in named("state.conversations.load", query.fetch_all(connection)).await? {
        let conversation = Conversation {
            title: row.title,
            pair: row.pair_low.zip(row.pair_high),
        };
        conversations.rows.load(row.id, conversation);
        let extent = Extent {
            members: usize::try_from(row.members).unwrap_or(usize::MAX),
            last_message: row.last_message,
        };
        conversations.extents.load(row.id, extent);
    }
    Ok(())
}

async fn load_messages(
    connection: &mut PgConnection,
    conversations: &mut Conversations,
) -> sqlx::Result<()> {
    let messages = conversations.messages.take_requested();
    if messages.is_empty() {
        return Ok(());
    }
    let (of, ids): (Vec<Uuid>, Vec<Uuid>) = messages.into_iter().unzip();
    let query = sqlx::query!(
        "/* state.messages.load */ SELECT m.conversation_id, m.id, m.sender_id
         FROM unnest($1::uuid[], $2::uuid[]) AS n(conversation_id, id)
         JOIN write.messages m ON m.conversation_id = n.conversation_id AND m.id = n.id",
        &of,
        &ids
    );
    for row in named("state.messages.load", query.fetch_all(connection)).await? {
        let key = (row.conversation_id, row.id);
        conversations.messages.load(key, row.sender_id);
    }
    Ok(())
}

pub async fn save(connection: &mut PgConnection, conversations: Conversations) -> sqlx::Result<()> {
    // Messages are never updated. Rows of conversations and members are never removed.
    let rows = conversations.rows.into_changes();
    insert(&mut *connection, &rows.inserted).await?;
    rename(&mut *connection, &rows.updated).await?;
    let members = conversations.members.into_changes();
    insert_members(&mut *connection, &members.inserted).await?;
    update_members(&mut *connection, &members.updated).await?;
    let messages = conversations.messages.into_changes();
    insert_messages(&mut *connection, messages.inserted).await?;
    delete_messages(connection, messages.removed).await
}

async fn insert(
    connection: &mut PgConnection,
    conversations: &[(Uuid, Conversation)],
) -> sqlx::Result<()> {
    if conversations.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = conversations.iter().map(|(id, _)| *id).collect();
    let titles: Vec<Option<String>> = conversations
        .iter()
        .map(|(_, conversation)| conversation.title.clone())
        .collect();
    let (low, high): (Vec<Option<Uuid>>, Vec<Option<Uuid>>) = conversations
        .iter()
        .map(|(_, conversation)| conversation.pair.unzip())
        .unzip();
    let created_at: Vec<DateTime<Utc>> = ids.iter().map(|id| time(id::millis(*id))).collect();
    let query = sqlx::query!(
        "/* state.conversations.insert */
         INSERT INTO write.conversations (id, title, pair_low, pair_high, created_at)
         SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::timestamptz[])",
        &ids,
        &titles as &[Option<String>],
        &low as &[Option<Uuid>],
        &high as &[Option<Uuid>],
        &created_at
    );
    named("state.conversations.insert", query.execute(connection)).await?;
    Ok(())
}

async fn rename(
    connection: &mut PgConnection,
    conversations: &[(Uuid, Conversation)],
) -> sqlx::Result<()> {
    if conversations.is_empty() {
        return Ok(());
    }
    let (ids, titles): (Vec<Uuid>, Vec<Option<String>>) = conversations
        .iter()
        .map(|(id, conversation)| (*id, conversation.title.clone()))
        .unzip();
    let query = sqlx::query!(
        "/* state.conversations.rename */ UPDATE write.conversations c SET title = n.title
         FROM unnest($1::uuid[], $2::text[]) AS n(id, title)
         WHERE c.id = n.id",
        &ids,
        &titles as &[Option<String>]
    );
    named("state.conversations.rename", query.execute(connection)).await?;
    Ok(())
}

type Members = [((Uuid, Uuid), Member)];

/// The columns of members, as the arrays of a statement.
#[derive(Default)]
struct Columns {
    conversations: Vec<Uuid>,
    users: Vec<Uuid>,
    read_up_to: Vec<Option<Uuid>>,
    muted: Vec<bool>,
    since: Vec<Option<Uuid>>,
    left_at: Vec<Option<Uuid>>,
}

impl Columns {
    fn of(members: &Members) -> Self {
        let mut columns = Self::default();
        for ((conversation, user), member) in members {
            columns.conversations.push(*conversation);
            columns.users.push(*user);
            columns.read_up_to.push(member.read_up_to);
            columns.muted.push(member.muted);
            columns.since.push(member.since);
            columns.left_at.push(member.left_at);
        }
        columns
    }
}

/// A member of a new conversation can have read a message of the same batch.
async fn insert_members(connection: &mut PgConnection, members: &Members) -> sqlx::Result<()> {
    if members.is_empty() {
        return Ok(());
    }
    let columns = Columns::of(members);
    let query = sqlx::query!(
        "/* state.members.insert */
         INSERT INTO write.members (conversation_id, user_id, read_up_to, muted, since, left_at)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bool[], $5::uuid[], $6::uuid[])",
        &columns.conversations,
        &columns.users,
        &columns.read_up_to as &[Option<Uuid>],
        &columns.muted,
        &columns.since as &[Option<Uuid>],
        &columns.left_at as &[Option<Uuid>]
    );
    named("state.members.insert", query.execute(connection)).await?;
    Ok(())
}

async fn update_members(connection: &mut PgConnection, members: &Members) -> sqlx::Result<()> {
    if members.is_empty() {
        return Ok(());
    }
    let columns = Columns::of(members);
    let query = sqlx::query!(
        "/* state.members.update */
         UPDATE write.members m SET
             read_up_to = n.read_up_to, muted = n.muted, since = n.since, left_at = n.left_at
         FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bool[], $5::uuid[], $6::uuid[])
             AS n(conversation_id, user_id, read_up_to, muted, since, left_at)
         WHERE m.conversation_id = n.conversation_id AND m.user_id = n.user_id",
        &columns.conversations,
        &columns.users,
        &columns.read_up_to as &[Option<Uuid>],
        &columns.muted,
        &columns.since as &[Option<Uuid>],
        &columns.left_at as &[Option<Uuid>]
    );
    named("state.members.update", query.execute(connection)).await?;
    Ok(())
}

async fn insert_messages(
    connection: &mut PgConnection,
    messages: Vec<((Uuid, Uuid), Uuid)>,
) -> sqlx::Result<()> {
    if messages.is_empty() {
        return Ok(());
    }
    let (keys, senders): (Vec<(Uuid, Uuid)>, Vec<Uuid>) = messages.into_iter().unzip();
    let (conversations, ids): (Vec<Uuid>, Vec<Uuid>) = keys.into_iter().unzip();
    let query = sqlx::query!(
        "/* state.messages.insert */ INSERT INTO write.messages (conversation_id, id, sender_id)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[])",
        &conversations,
        &ids,
        &senders
    );
    named("state.messages.insert", query.execute(connection)).await?;
    Ok(())
}

async fn delete_messages(
    connection: &mut PgConnection,
    messages: Vec<(Uuid, Uuid)>,
) -> sqlx::Result<()> {
    if messages.is_empty() {
        return Ok(());
    }
    let (conversations, ids): (Vec<Uuid>, Vec<Uuid>) = messages.into_iter().unzip();
    let query = sqlx::query!(
        "/* state.messages.delete */ DELETE FROM write.messages m
         USING unnest($1::uuid[], $2::uuid[]) AS n(conversation_id, id)
         WHERE m.conversation_id = n.conversation_id AND m.id = n.id",
        &conversations,
        &ids
    );
    named("state.messages.delete", query.execute(connection)).await?;
    Ok(())
}
