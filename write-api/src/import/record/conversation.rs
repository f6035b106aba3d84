//! Records of conversations, messages and read marks.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    domain::{Command, ConversationCommand},
    import::record_type::{Names, RecordType, key_of_ends, text},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConversationRecord {
    id: String,
    members: Vec<String>,
    title: Option<String>,
    at: DateTime<Utc>,
}

impl RecordType for ConversationRecord {
    fn at(&self) -> DateTime<Utc> {
        self.at
    }

    fn key(&self) -> String {
        self.id.clone()
    }

    fn command(&self, names: &mut dyn Names) -> Result<(Uuid, Command), String> {
        let title = self.title.as_ref();
        let title = title.map(|title| text("title", title)).transpose()?;
        if self.members.len() > 1_000 {
            return Err("members: has more than 1000 names".to_owned());
        }
        let find = |name: &String| names.find("account", name);
        let members: BTreeSet<Uuid> = self.members.iter().map(find).collect::<Result<_, _>>()?;
        // The record does not say who started it. Any member will do as the actor.
        let actor = members.first().copied().ok_or("members: is empty")?;
        let command = ConversationCommand::Start {
            members,
            title,
            creator: None,
        };
        Ok((actor, command.into()))
    }

    fn members(&self) -> &[String] {
        &self.members
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessageRecord {
    id: String,
    conversation: String,
    sender: String,
    text: String,
    at: DateTime<Utc>,
}

impl RecordType for MessageRecord {
    fn at(&self) -> DateTime<Utc> {
        self.at
    }

    fn key(&self) -> String {
        self.id.clone()
    }

    fn command(&self, names: &mut dyn Names) -> Result<(Uuid, Command), String> {
        let command = ConversationCommand::SendMessage {
            conversation: names.find("conversation", &self.conversation)?,
            text: text("text", &self.text)?,
        };
        Ok((names.find("account", &self.sender)?, command.into()))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadRecord {
    conversation: String,
    user: String,
    up_to: String,
    at: DateTime<Utc>,
}

impl RecordType for ReadRecord {
    fn at(&self) -> DateTime<Utc> {
        self.at
    }

    fn key(&self) -> String {
        let mark = key_of_ends(&self.user, &self.up_to, self.at);
        format!("{}:{mark}", self.conversation)
    }

    fn command(&self, names: &mut dyn Names) -> Result<(Uuid, Command), String> {
        let command = ConversationCommand::MarkRead {
            conversation: names.find("conversation", &self.conversation)?,
            up_to: names.find("message", &self.up_to)?,
        };
        Ok((names.find("account", &self.user)?, command.into()))
    }

    fn creates_resource(&self) -> bool {
        false
    }
}
