//! The oracle's state after import records.

use anyhow::{Result, ensure};
use feedmill_events::event::v1::Audience;
use uuid::Uuid;

use super::{
    Names, Record,
    record::{NamedAudience, What},
};
use crate::{link::LinkTarget, oracle::Oracle};

/// Fails unless the ids of posts, messages and conversations are in the order of their records, also of those with one
/// time.
fn check_order(records: &[Record], names: &Names) -> Result<()> {
    for kind in ["post", "message", "conversation"] {
        let mut last = Uuid::nil();
        for Record { what, .. } in records {
            let id = match (kind, what) {
                ("post", What::Post { id, .. })
                | ("message", What::Message { id, .. })
                | ("conversation", What::Conversation { id, .. }) => names.id(kind, id)?,
                _ => continue,
            };
            ensure!(
                id > last,
                "the {kind} {} is not after the one before",
                names.name(&id.to_string())
            );
            last = id;
        }
    }
    Ok(())
}

/// The oracle after all records. Fails if ids are not in the order of the records.
pub fn oracle(records: &[Record], names: &Names) -> Result<Oracle> {
    check_order(records, names)?;
    let mut oracle = Oracle::default();
    for record in records {
        apply(&mut oracle, record, |kind, name| names.id(kind, name))?;
    }
    Ok(oracle)
}

/// Applies one record. `id_of` has the ids of things by their kinds and names.
pub fn apply(
    oracle: &mut Oracle,
    record: &Record,
    id_of: impl Fn(&str, &str) -> Result<Uuid>,
) -> Result<()> {
    let account = |name: &str| id_of("account", name);
    let post = |name: &str| id_of("post", name);
    let tag = |name: &str| id_of("tag", name);
    let conversation = |name: &str| id_of("conversation", name);
    let message = |name: &str| id_of("message", name);
    let audience = |named: &NamedAudience| -> Result<Audience> {
        Ok(match named {
            NamedAudience::Public => Audience::Public,
            NamedAudience::Connections => Audience::Connections,
            NamedAudience::Tags(names) => {
                let tags: Result<Vec<_>> = names.iter().map(|name| tag(name)).collect();
                let mut tags = tags?;
                tags.sort_unstable();
                Audience::Tags(tags)
            }
            NamedAudience::Me => Audience::Me,
        })
    };
    let Record { what, at } = record;
    match what {
        What::Account {
            id,
            handle,
            display_name,
        } => oracle.create_account(account(id)?, handle, display_name, *at),
        What::Post {
            id,
            author,
            text,
            reply_to,
            audience: named,
        } => {
            let (id, author) = (post(id)?, account(author)?);
            match (reply_to, named) {
                (Some(parent), _) => oracle.create_reply(id, author, text, post(parent)?),
                (None, None) => oracle.create_post(id, author, text, Audience::Public),
                (None, Some(named)) => oracle.create_post(id, author, text, audience(named)?),
            }
        }
        What::Audience {
            post: root,
            audience: named,
        } => oracle.change_audience(post(root)?, audience(named)?),
        What::PostDeleted { id } => oracle.delete_post(post(id)?),
        What::Link {
            kind,
            make,
            from,
            to,
        } => {
            let to = match kind.target() {
                LinkTarget::Post => post(to)?,
                LinkTarget::Account => account(to)?,
            };
            if *make {
                oracle.link(*kind, account(from)?, to, *at);
            } else {
                oracle.unlink(*kind, account(from)?, to);
            }
        }
        What::Connection { connect, from, to } => {
            let (from, to) = (account(from)?, account(to)?);
            if *connect {
                oracle.connections.connect(from, to, *at);
            } else {
                oracle.connections.end(from, to);
                oracle.tags.disconnect(from, to);
            }
        }
        What::Block { block, from, to } => {
            let (from, to) = (account(from)?, account(to)?);
            if *block {
                oracle.block(from, to, *at);
            } else {
                oracle.blocks.unblock(from, to);
            }
        }
        What::Tag { id, owner, name } => {
            oracle.tags.create(tag(id)?, account(owner)?, name);
        }
        What::TagDeleted { id } => oracle.tags.delete(tag(id)?),
        What::TagMember {
            add,
            tag: name,
            user,
        } => {
            if *add {
                oracle.tags.add(tag(name)?, account(user)?, *at);
            } else {
                oracle.tags.remove(tag(name)?, account(user)?);
            }
        }
        What::Conversation { id, members, title } => {
            let members = members.iter().map(|member| account(member));
            let members = members.collect::<Result<Vec<_>>>()?;
            oracle.create_conversation(conversation(id)?, &members, title.as_deref());
        }
        What::Message {
            id,
            conversation: name,
            sender,
            text,
        } => {
            oracle.send_message(conversation(name)?, message(id)?, account(sender)?, text);
        }
        What::Read {
            conversation: name,
            user,
            up_to,
        } => oracle.mark_read(conversation(name)?, account(user)?, message(up_to)?),
    }
    Ok(())
}
