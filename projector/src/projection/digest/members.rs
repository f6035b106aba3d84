//! Who was a member of a conversation when, and who received its messages.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use feedmill_service::sql::named;
use sqlx::{PgConnection, query};
use uuid::Uuid;

use super::fold::{Changes, ConversationChange, ConversationEvent};
use crate::{
    error::{ApplyError, expect_rows},
    projection::event_time::created_at,
};

/// The memberships of a conversation that matter for the messages of a batch.
#[derive(Default)]
struct Memberships {
    /// The id after which each member receives messages; None: all.
    current: BTreeMap<Uuid, Option<Uuid>>,
    former: Vec<Former>,
}

/// A membership that has ended: it received the messages after `since` and up to `until`.
#[derive(Clone, Copy)]
struct Former {
    member: Uuid,
    since: Option<Uuid>,
    until: Uuid,
}

impl Memberships {
    /// Who was a member when the message was written. The memberships of one account do not overlap.
    fn at(&self, message: Uuid) -> impl Iterator<Item = Uuid> {
        let current = self.current.iter();
        let current = current.filter(move |(_, since)| since.is_none_or(|since| message > since));
        let former = self.former.iter().filter(move |former| {
            message <= former.until && former.since.is_none_or(|since| message > since)
        });
        let former = former.map(|former| former.member);
        current.map(|(member, _)| *member).chain(former)
    }
}

/// Counts the messages that each account receives, and moves the memberships on. Events are taken one after the other, since a
/// message is received by the members at its place in the log.
pub async fn apply(changes: &mut Changes, db: &mut PgConnection) -> Result<(), ApplyError> {
    if changes.conversations.is_empty() {
        return Ok(());
    }
    let events = std::mem::take(&mut changes.conversations);
    let mut conversations = load(&events, db).await?;
    let mut ended = Vec::new();
    for ConversationEvent {
        conversation,
        change,
    } in events
    {
        let memberships = conversations.entry(conversation).or_default();
        match change {
            ConversationChange::Joined { member, since } => {
                memberships.current.insert(member, since);
            }
            ConversationChange::Left { member, until } => {
                let since = memberships.current.remove(&member).flatten();
                // By the clock of another process, somebody may have come and left at once: for no message.
                if since.is_none_or(|since| since < until) {
                    let former = Former {
                        member,
                        since,
                        until,
                    };
                    memberships.former.push(former);
                    ended.push((conversation, former));
                }
            }
            ConversationChange::Sent { message, sender } => {
                count(changes, memberships, message, sender, 1)?;
            }
            ConversationChange::Deleted { message, sender } => {
                count(changes, memberships, message, sender, -1)?;
            }
        }
    }
    delete(changes, db).await?;
    insert(changes, db).await?;
    insert_former(&ended, db).await
}

/// Counts a message for everyone who received it.
fn count(
    changes: &mut Changes,
    memberships: &Memberships,
    message: Uuid,
    sender: Uuid,
    by: i64,
) -> Result<(), ApplyError> {
    let day = created_at(message)?.date_naive();
    for member in memberships.at(message).filter(|member| *member != sender) {
        changes.day(member, day).messages += by;
    }
    Ok(())
}

/// The memberships of conversations that are not new, as far as the events need them.
async fn load(
    events: &[ConversationEvent],
    db: &mut PgConnection,
) -> Result<HashMap<Uuid, Memberships>, ApplyError> {
    let mut conversations: HashMap<Uuid, Memberships> = HashMap::new();
    let needed: BTreeSet<Uuid> = events
        .iter()
        .filter(|event| !matches!(event.change, ConversationChange::Joined { .. }))
        .map(|event| event.conversation)
        .collect();
    let needed = Vec::from_iter(needed);
    if needed.is_empty() {
        return Ok(conversations);
    }
    let statement = query!(
        "/* digest.members_of */
        SELECT conversation, member, since FROM digest_members WHERE conversation = ANY($1)",
        &needed,
    );
    for row in named("digest.members_of", statement.fetch_all(&mut *db)).await? {
        let memberships = conversations.entry(row.conversation).or_default();
        memberships.current.insert(row.member, row.since);
    }
    let mut first: BTreeMap<Uuid, Uuid> = BTreeMap::new();
    for event in events {
        if let ConversationChange::Sent { message, .. }
        | ConversationChange::Deleted { message, .. } = event.change
        {
            let least = first.entry(event.conversation).or_insert(message);
            *least = message.min(*least);
        }
    }
    if first.is_empty() {
        return Ok(conversations);
    }
    let (written_in, first): (Vec<Uuid>, Vec<Uuid>) = first.into_iter().unzip();
    let statement = query!(
        r#"/* digest.former_members_of */
        SELECT f.conversation, f.member, f.since, f.until
        FROM unnest($1::uuid[], $2::uuid[]) AS n(conversation, first)
        JOIN digest_former_members f ON f.conversation = n.conversation AND f.until >= n.first"#,
        &written_in,
        &first,
    );
    for row in named("digest.former_members_of", statement.fetch_all(db)).await? {
        let memberships = conversations.entry(row.conversation).or_default();
        memberships.former.push(Former {
            member: row.member,
            since: row.since,
            until: row.until,
        });
    }
    Ok(conversations)
}

/// Deletes the memberships that end, also those that begin anew in the same batch.
async fn delete(changes: &Changes, db: &mut PgConnection) -> Result<(), ApplyError> {
    let (conversations, members): (Vec<Uuid>, Vec<Uuid>) = changes.members.ended().unzip();
    if conversations.is_empty() {
        return Ok(());
    }
    let statement = query!(
        "/* digest.delete_members */
        DELETE FROM digest_members m USING unnest($1::uuid[], $2::uuid[]) AS n(conversation, member)
        WHERE m.conversation = n.conversation AND m.member = n.member",
        &conversations,
        &members,
    );
    let done = named("digest.delete_members", statement.execute(db)).await?;
    expect_rows(
        "digest.delete_members",
        conversations.len(),
        done.rows_affected(),
    )
}

async fn insert(changes: &Changes, db: &mut PgConnection) -> Result<(), ApplyError> {
    let current = changes.members.current();
    let (keys, since): (Vec<(Uuid, Uuid)>, Vec<Option<Uuid>>) =
        current.map(|(key, since)| (key, *since)).unzip();
    let (conversations, members): (Vec<Uuid>, Vec<Uuid>) = keys.into_iter().unzip();
    if conversations.is_empty() {
        return Ok(());
    }
    let statement = query!(
        "/* digest.insert_members */
        INSERT INTO digest_members (conversation, member, since)
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[])",
        &conversations,
        &members,
        &since as &[Option<Uuid>],
    );
    named("digest.insert_members", statement.execute(db)).await?;
    Ok(())
}

/// Each with its conversation.
async fn insert_former(ended: &[(Uuid, Former)], db: &mut PgConnection) -> Result<(), ApplyError> {
    if ended.is_empty() {
        return Ok(());
    }
    let statement = query!(
        "/* digest.insert_former_members */
        INSERT INTO digest_former_members (conversation, until, member, since)
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[])",
        &ended
            .iter()
            .map(|(conversation, _)| *conversation)
            .collect::<Vec<_>>(),
        &ended
            .iter()
            .map(|(_, former)| former.until)
            .collect::<Vec<_>>(),
        &ended
            .iter()
            .map(|(_, former)| former.member)
            .collect::<Vec<_>>(),
        &ended
            .iter()
            .map(|(_, former)| former.since)
            .collect::<Vec<_>>() as &[Option<Uuid>],
    );
    named("digest.insert_former_members", statement.execute(db)).await?;
    Ok(())
}
