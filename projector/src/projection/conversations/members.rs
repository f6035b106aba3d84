//! The statements for the members of conversations. Each does nothing, at no cost, when it has nothing to do.

use feedmill_service::sql::named;
use sqlx::{PgConnection, query, query_scalar};
use uuid::Uuid;

use super::fold::{Changes, DeletedMessage};
use crate::error::{ApplyError, expect_rows};

/// The members of new conversations.
pub async fn insert(changes: &Changes<'_>, db: &mut PgConnection) -> Result<(), ApplyError> {
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

/// Deletes the memberships that end, also those that begin anew in the same batch.
pub async fn end(changes: &Changes<'_>, db: &mut PgConnection) -> Result<(), ApplyError> {
    let (users, conversations): (Vec<Uuid>, Vec<Uuid>) = changes.memberships.ended().unzip();
    if users.is_empty() {
        return Ok(());
    }
    let statement = query!(
        "/* conversations.end_memberships */
        DELETE FROM members m USING unnest($1::uuid[], $2::uuid[]) AS n(user_id, conversation)
        WHERE m.user_id = n.user_id AND m.conversation = n.conversation",
        &users,
        &conversations,
    );
    let done = named("conversations.end_memberships", statement.execute(db)).await?;
    expect_rows(
        "conversations.end_memberships",
        users.len(),
        done.rows_affected(),
    )
}

/// The members who come later. Their activity begins with their membership.
pub async fn add(changes: &Changes<'_>, db: &mut PgConnection) -> Result<(), ApplyError> {
    let current = changes.memberships.current();
    let (keys, since): (Vec<(Uuid, Uuid)>, Vec<Uuid>) =
        current.map(|(key, since)| (key, *since)).unzip();
    let (users, conversations): (Vec<Uuid>, Vec<Uuid>) = keys.into_iter().unzip();
    if users.is_empty() {
        return Ok(());
    }
    let statement = query!(
        "/* conversations.add_members */
        INSERT INTO members (user_id, conversation, activity, since, unread_count, hidden_count)
        SELECT n.user_id, n.conversation, greatest(n.since, c.last_message), n.since, seen.unread,
            c.message_count - seen.count
        FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS n(user_id, conversation, since)
        JOIN conversations c ON c.id = n.conversation
        CROSS JOIN LATERAL (
            SELECT count(*) AS count, count(*) FILTER (WHERE x.sender <> n.user_id) AS unread
            FROM messages x
            WHERE x.conversation = n.conversation AND x.id > n.since
        ) AS seen",
        &users,
        &conversations,
        &since,
    );
    let done = named("conversations.add_members", statement.execute(db)).await?;
    expect_rows(
        "conversations.add_members",
        users.len(),
        done.rows_affected(),
    )
}

/// Who has no conversation has no row, so that the same log always gives the same rows.
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
    named(
        "conversations.count_conversations",
        statement.execute(&mut *db),
    )
    .await?;
    let left = changes.memberships.ended().map(|(user, _)| user);
    let left: Vec<Uuid> = left.collect();
    if left.is_empty() {
        return Ok(());
    }
    let statement = query!(
        "/* conversations.delete_empty_counts */
        DELETE FROM conversation_counts WHERE user_id = ANY($1) AND conversations = 0",
        &left,
    );
    named("conversations.delete_empty_counts", statement.execute(db)).await?;
    Ok(())
}

/// Moves conversations with new messages up in the lists of all members, and counts as unread the messages by others that a member sees
/// and that are after their read mark (an imported message may be before it). Returns these members. The activity of a member who does
/// not see a message is later than it.
pub async fn count_unread(
    changes: &Changes<'_>,
    db: &mut PgConnection,
) -> Result<Vec<Uuid>, ApplyError> {
    if changes.messages.is_empty() {
        return Ok(vec![]);
    }
    let messages = || changes.messages.values();
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
            activity = greatest(m.activity, d.last), unread_count = m.unread_count + d.unread,
            hidden_count = m.hidden_count + d.hidden
        FROM (
            SELECT o.user_id, o.conversation, n.last,
                count(*) FILTER (
                    WHERE n.sender <> o.user_id AND (o.read_up_to IS NULL OR n.id > o.read_up_to)
                        AND (o.since IS NULL OR n.id > o.since)
                ) AS unread,
                count(*) FILTER (WHERE n.id <= o.since) AS hidden
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

/// The same for deleted messages: they no longer count, and the message before them moves the conversation down in the lists.
pub async fn uncount_unread(
    deleted: &[DeletedMessage],
    db: &mut PgConnection,
) -> Result<Vec<Uuid>, ApplyError> {
    if deleted.is_empty() {
        return Ok(vec![]);
    }
    let statement = query_scalar!(
        "/* conversations.uncount_unread */
        UPDATE members m SET
            activity = greatest(coalesce(m.since, m.conversation), c.last_message),
            unread_count = m.unread_count - d.unread, hidden_count = m.hidden_count - d.hidden
        FROM (
            SELECT o.user_id, o.conversation,
                count(*) FILTER (
                    WHERE n.sender <> o.user_id AND (o.read_up_to IS NULL OR n.id > o.read_up_to)
                        AND (o.since IS NULL OR n.id > o.since)
                ) AS unread,
                count(*) FILTER (WHERE n.id <= o.since) AS hidden
            FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS n(conversation, id, sender)
            JOIN members o ON o.conversation = n.conversation
            GROUP BY o.user_id, o.conversation
        ) d
        JOIN conversations c ON c.id = d.conversation
        WHERE m.user_id = d.user_id AND m.conversation = d.conversation
        RETURNING m.user_id",
        &deleted
            .iter()
            .map(|message| message.conversation)
            .collect::<Vec<_>>(),
        &deleted.iter().map(|message| message.id).collect::<Vec<_>>(),
        &deleted
            .iter()
            .map(|message| message.sender)
            .collect::<Vec<_>>(),
    );
    Ok(named("conversations.uncount_unread", statement.fetch_all(db)).await?)
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
                WHERE x.conversation = m.conversation AND x.id > greatest(r.up_to, m.since)
                    AND x.sender <> m.user_id
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

/// The members of the conversations whose title or members change.
pub async fn of_changed(
    changes: &Changes<'_>,
    db: &mut PgConnection,
) -> Result<Vec<Uuid>, ApplyError> {
    let conversations = Vec::from_iter(changes.changed());
    if conversations.is_empty() {
        return Ok(vec![]);
    }
    let statement = query_scalar!(
        "/* conversations.members_of_changed */
        SELECT user_id FROM members WHERE conversation = ANY($1)",
        &conversations,
    );
    Ok(named("conversations.members_of_changed", statement.fetch_all(db)).await?)
}
