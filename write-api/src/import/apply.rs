//! The second reading: records become commands, a batch a transaction.

use std::collections::{BTreeSet, HashMap};

use feedmill_events::Partition;
use feedmill_service::sql;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    ImportError, Name, Summary,
    record::{Action, Record},
};
use crate::{
    batch::Batch,
    domain::{self, Command, Needs, Outcome},
};

/// What earlier imports and earlier lines have brought; None for a link.
type Known = HashMap<Name, Option<Uuid>>;

/// Applies a batch of numbered records. At a line that is refused it stops; the lines before it stand.
pub async fn batch(
    connection: &mut PgConnection,
    records: &[(u64, Record)],
    summary: &mut Summary,
) -> Result<(), ImportError> {
    let mut batch = Batch::open(connection, &Partition::all().collect()).await?;
    let names: BTreeSet<Name> = records
        .iter()
        .flat_map(|(_, record)| record.references().into_iter().chain([record.key.clone()]))
        .collect();
    let mut known = known(batch.connection(), &names).await?;
    batch.load(&pairs_of(records, &known)).await?;

    let mut pairs = batch.state().pairs.clone();
    let mut fresh = Vec::new();
    let mut needs = Needs::default();
    let mut refused = None;
    for (line, record) in records {
        if known.contains_key(&record.key) {
            continue;
        }
        match command(record, &known) {
            Ok((actor, command)) => {
                let thing = thing(record, actor, &command, &mut pairs);
                known.insert(record.key.clone(), thing);
                needs.include(actor, &command);
                fresh.push((*line, record, actor, command, thing));
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
    batch.load(&needs).await?;

    let mut done = 0;
    for (line, record, actor, command, thing) in &fresh {
        match batch.decide(*actor, command, record.moment(), None) {
            Ok((outcome, _)) => {
                debug_assert!(
                    made(&outcome).is_none_or(|id| Some(id) == *thing),
                    "{outcome:?} is not {thing:?}"
                );
                done += 1;
            }
            Err(error) => {
                refused = Some(ImportError::Line {
                    line: *line,
                    reason: error.to_string(),
                });
                break;
            }
        }
    }
    let brought = fresh[..done]
        .iter()
        .map(|(_, record, _, _, thing)| (&record.key, *thing));
    remember(batch.connection(), brought).await?;
    summary.events += batch.commit().await?.len() as u64;
    if let Some(refused) = refused {
        return Err(refused);
    }
    summary.records += records.len() as u64;
    summary.known += (records.len() - done) as u64;
    Ok(())
}

fn made(outcome: &Outcome) -> Option<Uuid> {
    match outcome {
        Outcome::Account { card, .. } => Some(card.id),
        Outcome::Post { id, .. }
        | Outcome::Conversation { id, .. }
        | Outcome::Message { id, .. } => Some(*id),
        Outcome::Done => None,
    }
}

/// The conversations of two that the batch may meet again.
fn pairs_of(records: &[(u64, Record)], known: &Known) -> Needs {
    let mut needs = Needs::default();
    for (_, record) in records {
        if let Action::Conversation { members, .. } = &record.action {
            let ids = members
                .iter()
                .filter_map(|name| known.get(&("account", name.clone())).copied().flatten());
            needs.pairs.extend(domain::pair(ids));
        }
    }
    needs
}

/// The id that a record's thing will have: known before the decision, since later records of the batch name it.
fn thing(
    record: &Record,
    actor: Uuid,
    command: &Command,
    pairs: &mut HashMap<(Uuid, Uuid), Uuid>,
) -> Option<Uuid> {
    if !record.makes_a_thing() {
        return None;
    }
    let id = record.moment().id(command.partition(actor));
    match command {
        Command::StartConversation { members, .. } => match domain::pair(members.iter().copied()) {
            Some(pair) => Some(*pairs.entry(pair).or_insert(id)),
            None => Some(id),
        },
        _ => Some(id),
    }
}

/// A record as somebody's command.
fn command(record: &Record, known: &Known) -> Result<(Uuid, Command), String> {
    let find = |kind: &'static str, name: &String| {
        known
            .get(&(kind, name.clone()))
            .copied()
            .flatten()
            .ok_or_else(|| format!("names the {kind} {name:?}, which is not there before it"))
    };
    let account = |name| find("account", name);
    Ok(match &record.action {
        Action::Account {
            handle,
            display_name,
        } => (
            Uuid::nil(),
            Command::CreateAccount {
                handle: handle.clone(),
                display_name: display_name.clone(),
                password_hash: None,
            },
        ),
        Action::Follow { from, to } => (account(from)?, Command::Follow { user: account(to)? }),
        Action::Unfollow { from, to } => (account(from)?, Command::Unfollow { user: account(to)? }),
        Action::Post {
            author,
            text,
            reply_to,
        } => {
            let reply_to = reply_to
                .as_ref()
                .map(|name| find("post", name))
                .transpose()?;
            (
                account(author)?,
                Command::CreatePost {
                    text: text.clone(),
                    reply_to,
                },
            )
        }
        Action::Like { user, post } => (
            account(user)?,
            Command::Like {
                post: find("post", post)?,
            },
        ),
        Action::Unlike { user, post } => (
            account(user)?,
            Command::Unlike {
                post: find("post", post)?,
            },
        ),
        Action::Conversation { members, title } => {
            let members = members
                .iter()
                .map(account)
                .collect::<Result<BTreeSet<_>, _>>()?;
            let first = members.first().copied().ok_or("members: is empty")?;
            (
                first,
                Command::StartConversation {
                    members,
                    title: title.clone(),
                    creator: None,
                },
            )
        }
        Action::Message {
            conversation,
            sender,
            text,
        } => {
            let conversation = find("conversation", conversation)?;
            (
                account(sender)?,
                Command::SendMessage {
                    conversation,
                    text: text.clone(),
                },
            )
        }
        Action::Read {
            conversation,
            user,
            up_to,
        } => {
            let conversation = find("conversation", conversation)?;
            (
                account(user)?,
                Command::MarkRead {
                    conversation,
                    up_to: find("message", up_to)?,
                },
            )
        }
    })
}

/// Which of these names are known from an import.
pub async fn known(
    connection: &mut PgConnection,
    names: impl IntoIterator<Item = &Name>,
) -> sqlx::Result<Known> {
    let names: HashMap<(String, String), &Name> = names
        .into_iter()
        .map(|name| ((name.0.to_owned(), name.1.clone()), name))
        .collect();
    if names.is_empty() {
        return Ok(Known::new());
    }
    let (kinds, records): (Vec<String>, Vec<String>) = names.keys().cloned().unzip();
    let query = sqlx::query!(
        "/* import.names.load */ SELECT i.kind, i.record, i.id
         FROM unnest($1::text[], $2::text[]) AS n(kind, record)
         JOIN write.imported i ON i.kind = n.kind AND i.record = n.record",
        &kinds,
        &records
    );
    let rows = sql::named("import.names.load", query.fetch_all(connection)).await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| Some(((*names.get(&(row.kind, row.record))?).clone(), row.id)))
        .collect())
}

async fn remember<'r>(
    connection: &mut PgConnection,
    brought: impl Iterator<Item = (&'r Name, Option<Uuid>)>,
) -> sqlx::Result<()> {
    let mut rows: (Vec<String>, Vec<String>, Vec<Option<Uuid>>) = Default::default();
    for ((kind, record), id) in brought {
        rows.0.push((*kind).to_owned());
        rows.1.push(record.clone());
        rows.2.push(id);
    }
    if rows.0.is_empty() {
        return Ok(());
    }
    let query = sqlx::query!(
        "/* import.names.save */ INSERT INTO write.imported (kind, record, id)
         SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[])",
        &rows.0,
        &rows.1,
        &rows.2 as &[Option<Uuid>]
    );
    sql::named("import.names.save", query.execute(connection)).await?;
    Ok(())
}
