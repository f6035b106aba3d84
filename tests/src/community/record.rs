//! Import records, and the model that they lead to.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use uuid::Uuid;

use crate::model::Model;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    #[serde(flatten)]
    pub what: What,
    /// RFC 3339 in UTC, with milliseconds.
    pub at: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum What {
    Account {
        id: String,
        handle: String,
        display_name: String,
    },
    Follow {
        from: String,
        to: String,
    },
    Unfollow {
        from: String,
        to: String,
    },
    Post {
        id: String,
        author: String,
        text: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        reply_to: Option<String>,
    },
    Like {
        user: String,
        post: String,
    },
    Unlike {
        user: String,
        post: String,
    },
    Conversation {
        id: String,
        members: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
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

/// Which id each imported thing has.
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

    /// What the records call this id, or the id itself.
    pub fn name(&self, id: &str) -> String {
        let found = id.parse().ok().and_then(|id: Uuid| self.names.get(&id));
        found.cloned().unwrap_or_else(|| id.to_owned())
    }
}

/// What stands after all records.
pub fn model(records: &[Record], names: &Names) -> Result<Model> {
    let user = |name: &str| names.id("account", name);
    let post = |name: &str| names.id("post", name);
    let talk = |name: &str| names.id("conversation", name);
    let mut model = Model::default();
    for Record { what, at } in records {
        let at = at.parse::<DateTime<Utc>>()?.timestamp_millis();
        match what {
            What::Account {
                id,
                handle,
                display_name,
            } => {
                model.create_account(user(id)?, handle, display_name);
            }
            What::Follow { from, to } => model.follow(user(from)?, user(to)?, at),
            What::Unfollow { from, to } => model.unfollow(user(from)?, user(to)?),
            What::Post {
                id,
                author,
                text,
                reply_to,
            } => {
                let parent = reply_to.as_deref().map(post).transpose()?;
                model.create_post(post(id)?, user(author)?, text, parent);
            }
            What::Like {
                user: who,
                post: liked,
            } => model.like(user(who)?, post(liked)?, at),
            What::Unlike {
                user: who,
                post: liked,
            } => model.unlike(user(who)?, post(liked)?),
            What::Conversation { id, members, title } => {
                let members = members
                    .iter()
                    .map(|member| user(member))
                    .collect::<Result<Vec<_>>>()?;
                model.create_conversation(talk(id)?, &members, title.as_deref());
            }
            What::Message {
                id,
                conversation,
                sender,
                text,
            } => {
                model.send_message(
                    talk(conversation)?,
                    names.id("message", id)?,
                    user(sender)?,
                    text,
                );
            }
            What::Read {
                conversation,
                user: who,
                up_to,
            } => {
                model.mark_read(talk(conversation)?, user(who)?, names.id("message", up_to)?);
            }
        }
    }
    Ok(model)
}
