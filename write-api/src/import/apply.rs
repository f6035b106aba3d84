//! The second reading of a file: records become commands, a batch of them in each transaction.

use std::collections::{BTreeSet, HashMap};

use feedmill_events::{PartitionSet, event::v1::Audience};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    names::{self, ImportedNames},
    record::Record,
    record_type::Name,
    report::{ImportError, Summary},
};
use crate::{
    batch::{Batch, Decided},
    domain::{
        AccountCommand, Command, ConversationCommand, Outcome, PostCommand, State, TagCommand,
        conversation::{Pair, pair},
    },
};

/// A record that is new, as a command.
struct Pending<'r> {
    line: u64,
    record: &'r Record,
    actor: Uuid,
    command: Command,
    /// The id of what the command creates.
    id: Option<Uuid>,
}

/// Applies numbered records in one transaction. It stops at a record that is refused; the ones before it are committed.
pub async fn apply(
    connection: &mut PgConnection,
    records: &[(u64, Record)],
    summary: &mut Summary,
) -> Result<(), ImportError> {
    let mut batch = Batch::open(connection, PartitionSet::ALL).await?;
    let names: BTreeSet<&Name> = records
        .iter()
        .flat_map(|(_, record)| record.references.iter().chain([&record.name]))
        .collect();
    let mut imported = names::load(batch.connection(), names).await?;
    // A conversation record stands for the existing conversation of its pair, if there is one. Its id is needed before the
    // commands are built, because later records refer to it.
    request_pairs(batch.state(), records, &imported);
    let posts = request_posts(batch.state(), records, &imported);
    batch.load().await?;
    for post in posts {
        if let Ok(found) = batch.state().posts.find(post) {
            imported.insert_post_author(post, found.author);
        }
    }

    let mut new_pairs = HashMap::new();
    let mut pending = Vec::new();
    let mut refused = None;
    for (line, record) in records {
        if imported.contains(&record.name) {
            continue;
        }
        match record.command(&mut imported) {
            Ok((actor, command)) => {
                command.request(actor, batch.state());
                let id = created_id(record, actor, &command, batch.state(), &mut new_pairs);
                imported.insert(record.name.clone(), id);
                if let Some(id) = id {
                    announce(batch.state(), &mut imported, actor, &command, id);
                }
                pending.push(Pending {
                    line: *line,
                    record,
                    actor,
                    command,
                    id,
                });
            }
            Err(reason) => {
                refused = Some(ImportError::Line {
                    line: *line,
                    reason,
                });
                break;
            }
        }
    }
    batch.load().await?;

    let mut applied = 0;
    for pending in &pending {
        let moment = pending.record.moment();
        match batch.decide(pending.actor, &pending.command, moment, None) {
            Ok(Decided { outcome, .. }) => {
                let id = id_of(&outcome);
                debug_assert!(
                    id.is_none() || id == pending.id,
                    "{outcome:?} is not {:?}",
                    pending.id
                );
                applied += 1;
            }
            Err(error) => {
                refused = Some(ImportError::Line {
                    line: pending.line,
                    reason: error.to_string(),
                });
                break;
            }
        }
    }
    let new = pending[..applied].iter();
    let new = new.map(|pending| (&pending.record.name, pending.id));
    names::save(batch.connection(), new).await?;
    summary.events += batch.commit().await?.len() as u64;
    if let Some(refused) = refused {
        return Err(refused);
    }
    summary.records += records.len() as u64;
    summary.known += (records.len() - applied) as u64;
    Ok(())
}

fn id_of(outcome: &Outcome) -> Option<Uuid> {
    match outcome {
        Outcome::Account { account, .. } => Some(account.id),
        Outcome::Post { id, .. }
        | Outcome::Conversation { id, .. }
        | Outcome::Message { id, .. }
        | Outcome::Tag { id, .. } => Some(*id),
        Outcome::Connection(_) | Outcome::Done => None,
    }
}

fn request_pairs(state: &mut State, records: &[(u64, Record)], imported: &ImportedNames) {
    for (_, record) in records {
        let members = record.members().iter();
        let ids = members.filter_map(|name| imported.get(&("account", name.clone())));
        if let Some(pair) = pair(ids) {
            state.conversations.request_pair(pair);
        }
    }
}

/// Requests the posts that the records refer to and earlier ones created. Their authors are needed before the commands are built.
fn request_posts(
    state: &mut State,
    records: &[(u64, Record)],
    imported: &ImportedNames,
) -> Vec<Uuid> {
    let names = records.iter().flat_map(|(_, record)| &record.references);
    let names = names.filter(|(resource, _)| *resource == "post");
    let posts: Vec<Uuid> = names.filter_map(|name| imported.get(name)).collect();
    for post in &posts {
        state.posts.request(*post);
    }
    posts
}

/// Makes what a command will create known to the records after it.
fn announce(
    state: &mut State,
    imported: &mut ImportedNames,
    actor: Uuid,
    command: &Command,
    id: Uuid,
) {
    match command {
        Command::Tag(TagCommand::Create { .. }) => imported.insert_tag_owner(id, actor),
        Command::Post(PostCommand::Create {
            reply_to, audience, ..
        }) => {
            imported.insert_post_author(id, actor);
            state.posts.expect(id, actor, *reply_to);
            if !matches!(audience, None | Some(Audience::Public)) {
                state.audiences.will_change(id);
            }
        }
        _ => {}
    }
}

/// The id of what a record will create.
fn created_id(
    record: &Record,
    actor: Uuid,
    command: &Command,
    state: &State,
    new_pairs: &mut HashMap<Pair, Uuid>,
) -> Option<Uuid> {
    if !record.creates_resource() {
        return None;
    }
    let id = record.moment().id(command.partition_of_created(actor)?);
    let members = match command {
        Command::Conversation(ConversationCommand::Start { members, .. }) => members,
        Command::Account(AccountCommand::Create { account, .. }) => return account.or(Some(id)),
        _ => return Some(id),
    };
    let Some(pair) = pair(members.iter().copied()) else {
        return Some(id);
    };
    let existing = state.conversations.of_pair(pair);
    existing.or_else(|| Some(*new_pairs.entry(pair).or_insert(id)))
}
