//! Import records, and the oracle's state after them.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::{
    link::{LinkKind, LinkTarget},
    oracle::{Oracle, time},
};

#[derive(Debug, Clone)]
pub struct Record {
    pub what: What,
    /// Unix milliseconds.
    pub at: i64,
}

#[derive(Debug, Clone)]
pub enum What {
    Account {
        id: String,
        handle: String,
        display_name: String,
    },
    Post {
        id: String,
        author: String,
        text: String,
        reply_to: Option<String>,
    },
    /// Makes a link, or undoes it.
    Link {
        kind: LinkKind,
        make: bool,
        from: String,
        to: String,
    },
    /// Two accounts connect, or their connection ends.
    Connection {
        connect: bool,
        from: String,
        to: String,
    },
    Tag {
        id: String,
        owner: String,
        name: String,
    },
    TagDeleted {
        id: String,
    },
    TagMember {
        add: bool,
        tag: String,
        user: String,
    },
    Conversation {
        id: String,
        members: Vec<String>,
        title: Option<String>,
    },
    Message {
        id: String,
        conversation: String,
        sender: String,
        text: String,
    },
    Read {
        conversation: String,
        user: String,
        up_to: String,
    },
}

impl Record {
    /// The record as a line of an import file.
    pub fn line(&self) -> String {
        let mut json = match &self.what {
            What::Account {
                id,
                handle,
                display_name,
            } => {
                json!({"type": "account", "id": id, "handle": handle, "display_name": display_name})
            }
            What::Post {
                id,
                author,
                text,
                reply_to,
            } => {
                json!({"type": "post", "id": id, "author": author, "text": text, "reply_to": reply_to})
            }
            What::Link {
                kind,
                make,
                from,
                to,
            } => {
                let (account, target) = kind.record_fields();
                json!({"type": kind.record_type(*make), account: from, target: to})
            }
            What::Connection { connect, from, to } => {
                let record_type = if *connect {
                    "connection"
                } else {
                    "disconnection"
                };
                json!({"type": record_type, "from": from, "to": to})
            }
            What::Tag { id, owner, name } => {
                json!({"type": "tag", "id": id, "owner": owner, "name": name})
            }
            What::TagDeleted { id } => json!({"type": "tag_deleted", "id": id}),
            What::TagMember { add, tag, user } => {
                let record_type = if *add {
                    "tag_member"
                } else {
                    "tag_member_removed"
                };
                json!({"type": record_type, "tag": tag, "user": user})
            }
            What::Conversation { id, members, title } => {
                json!({"type": "conversation", "id": id, "members": members, "title": title})
            }
            What::Message {
                id,
                conversation,
                sender,
                text,
            } => {
                json!({"type": "message", "id": id, "conversation": conversation, "sender": sender, "text": text})
            }
            What::Read {
                conversation,
                user,
                up_to,
            } => {
                json!({"type": "read", "conversation": conversation, "user": user, "up_to": up_to})
            }
        };
        if let Some(fields) = json.as_object_mut() {
            fields.retain(|_, value| !value.is_null());
            fields.insert("at".to_owned(), Value::String(time(self.at)));
        }
        json.to_string()
    }
}

/// The ids of imported things by their names in the records, and the other way round.
pub struct Names {
    ids: BTreeMap<(String, String), Uuid>,
    names: BTreeMap<Uuid, String>,
}

impl Names {
    pub async fn read(pool: &PgPool) -> Result<Self> {
        let rows: Vec<(String, String, Uuid)> =
            sqlx::query_as("SELECT kind, record, id FROM write.imported WHERE id IS NOT NULL")
                .fetch_all(pool)
                .await?;
        let names = rows
            .iter()
            .map(|(_, record, id)| (*id, record.clone()))
            .collect();
        Ok(Self {
            ids: rows
                .into_iter()
                .map(|(kind, record, id)| ((kind, record), id))
                .collect(),
            names,
        })
    }

    pub fn id(&self, kind: &str, record: &str) -> Result<Uuid> {
        let found = self.ids.get(&(kind.to_owned(), record.to_owned()));
        found
            .copied()
            .with_context(|| format!("{kind} {record} was not imported"))
    }

    /// The name in the records of the thing with this id, or the id itself.
    pub fn name(&self, id: &str) -> String {
        let found = id.parse().ok().and_then(|id: Uuid| self.names.get(&id));
        found.cloned().unwrap_or_else(|| id.to_owned())
    }
}

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
    let account = |name: &str| names.id("account", name);
    let post = |name: &str| names.id("post", name);
    let tag = |name: &str| names.id("tag", name);
    let conversation = |name: &str| names.id("conversation", name);
    let message = |name: &str| names.id("message", name);
    let mut oracle = Oracle::default();
    for Record { what, at } in records {
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
            } => {
                let parent = reply_to.as_deref().map(post).transpose()?;
                oracle.create_post(post(id)?, account(author)?, text, parent);
            }
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
    }
    Ok(oracle)
}
