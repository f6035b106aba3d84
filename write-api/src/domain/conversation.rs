//! Conversations, their messages, and the read mark of each member.

pub mod sql;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use feedmill_events::{
    Event, Partition,
    event::{
        v1::{ConversationRead, MessageSent},
        v2::ConversationCreated,
    },
    id,
};
use uuid::Uuid;

use super::{
    account::Accounts,
    clock::{Moment, time},
    decision::{AccountSummary, Decision, Outcome, Rejection, Resource},
    stored_outcome::StoredOutcome,
    table::Table,
    text::{MessageText, Title},
};

/// A message changes the row of each member in the read model, so this bounds its cost.
pub const MAX_MEMBERS: usize = 100;

#[derive(Debug, Clone)]
pub enum ConversationCommand {
    /// The actor is a member, whether or not `members` names them. `creator` is None for an imported conversation,
    /// whose creator is not known.
    Start {
        members: BTreeSet<Uuid>,
        title: Option<Title>,
        creator: Option<Uuid>,
    },
    SendMessage {
        conversation: Uuid,
        text: MessageText,
    },
    MarkRead {
        conversation: Uuid,
        up_to: Uuid,
    },
}

/// The two members of a conversation of two, lower id first.
pub type Pair = (Uuid, Uuid);

/// The pair that members are, if they are two.
pub fn pair(members: impl IntoIterator<Item = Uuid>) -> Option<Pair> {
    let members: BTreeSet<Uuid> = members.into_iter().collect();
    let mut members = members.into_iter();
    match (members.next(), members.next(), members.next()) {
        (Some(low), Some(high), None) => Some((low, high)),
        _ => None,
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    pub title: Option<String>,
    pub pair: Option<Pair>,
}

#[derive(Debug, Default)]
pub struct Conversations {
    rows: Table<Uuid, Conversation>,
    /// The conversation of each pair: an index on `rows`, of which nothing is saved.
    pairs: Table<Pair, Uuid>,
    /// The read mark by conversation and member.
    members: Table<(Uuid, Uuid), Option<Uuid>>,
    /// Conversation and message.
    messages: Table<(Uuid, Uuid), ()>,
}

impl Conversations {
    pub fn take_requested_members(&mut self) -> Vec<(Uuid, Uuid)> {
        self.members.take_requested()
    }

    pub fn load_member(&mut self, conversation: Uuid, member: Uuid, read_up_to: Option<Uuid>) {
        self.members.load((conversation, member), read_up_to);
    }

    pub fn request_pair(&mut self, pair: Pair) {
        self.pairs.request(pair);
    }

    /// The conversation of two accounts, if it was requested and exists.
    pub fn of_pair(&self, pair: Pair) -> Option<Uuid> {
        self.pairs.get(&pair).copied()
    }

    pub fn created(&mut self, event: &ConversationCreated) {
        let conversation = event.conversation;
        let pair = pair(event.members.iter().copied());
        if let Some(pair) = pair {
            self.pairs.insert(pair, conversation);
        }
        for member in &event.members {
            self.members.insert((conversation, *member), None);
        }
        let title = event.title.clone();
        self.rows.insert(conversation, Conversation { title, pair });
    }

    pub fn message_sent(&mut self, event: &MessageSent) {
        self.messages
            .insert((event.conversation, event.message), ());
    }

    pub fn read(&mut self, event: &ConversationRead) {
        self.members
            .insert((event.conversation, event.user), Some(event.up_to));
    }

    /// The read mark of a member. A conversation of others is rejected as if it did not exist.
    fn read_mark(&self, conversation: Uuid, actor: Uuid) -> Result<Option<Uuid>, Rejection> {
        let mark = self.members.get(&(conversation, actor)).copied();
        mark.ok_or(Rejection::not_found(Resource::Conversation))
    }
}

impl ConversationCommand {
    pub fn partition(&self, actor: Uuid) -> Partition {
        match self {
            // The same members meet in one partition, so two conversations of one pair cannot start at once.
            Self::Start { members, .. } => {
                let everyone = everyone(members, actor);
                id::partition_of_key(everyone.into_iter().flat_map(Uuid::into_bytes))
            }
            Self::SendMessage { conversation, .. } | Self::MarkRead { conversation, .. } => {
                Partition::of(*conversation)
            }
        }
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Start { .. } => "start_conversation",
            Self::SendMessage { .. } => "send_message",
            Self::MarkRead { .. } => "mark_read",
        }
    }

    pub fn request(&self, actor: Uuid, accounts: &mut Accounts, conversations: &mut Conversations) {
        match self {
            // Will be rejected, without loading any of them.
            Self::Start { members, .. } if members.len() > MAX_MEMBERS => {}
            Self::Start { members, .. } => {
                for member in members {
                    accounts.request(*member);
                }
                if let Some(pair) = pair(members.iter().copied().chain([actor])) {
                    conversations.request_pair(pair);
                }
            }
            Self::SendMessage { conversation, .. } => {
                conversations.members.request((*conversation, actor));
            }
            Self::MarkRead {
                conversation,
                up_to,
            } => {
                conversations.members.request((*conversation, actor));
                conversations.messages.request((*conversation, *up_to));
            }
        }
    }

    pub fn decide(
        &self,
        accounts: &Accounts,
        conversations: &Conversations,
        actor: Uuid,
        moment: Moment,
    ) -> Result<Decision, Rejection> {
        match self {
            Self::Start {
                members,
                title,
                creator,
            } => {
                let id = moment.id(self.partition(actor));
                let everyone = everyone(members, actor);
                let title = title.as_ref().map(|title| title.as_str().to_owned());
                start(accounts, conversations, id, everyone, title, *creator)
            }
            Self::SendMessage { conversation, text } => {
                conversations.read_mark(*conversation, actor)?;
                let message = moment.id(self.partition(actor));
                let event = MessageSent {
                    conversation: *conversation,
                    message,
                    sender: actor,
                    text: text.as_str().to_owned(),
                };
                let outcome = Outcome::Message {
                    id: message,
                    sender_id: actor,
                    text: text.as_str().to_owned(),
                    created_at: moment.at(),
                };
                Ok(Decision::new(Event::MessageSent(event), outcome))
            }
            Self::MarkRead {
                conversation,
                up_to,
            } => mark_read(conversations, actor, *conversation, *up_to),
        }
    }

    /// See [`Command::restore`](super::Command::restore).
    pub fn restore(
        &self,
        stored: StoredOutcome,
        accounts: &Accounts,
        conversations: &Conversations,
        actor: Uuid,
    ) -> Option<Outcome> {
        match (self, stored) {
            (Self::Start { members, title, .. }, stored) => {
                let everyone = everyone(members, actor);
                let (id, title, created) = match stored {
                    StoredOutcome::Conversation { id, created: true } => {
                        let title = title.as_ref().map(|title| title.as_str().to_owned());
                        (id, title, true)
                    }
                    StoredOutcome::Conversation { created: false, .. }
                    | StoredOutcome::Unchanged => {
                        let existing = conversations.of_pair(pair(everyone.iter().copied())?)?;
                        let found = conversations.rows.get(&existing);
                        (existing, found.and_then(|found| found.title.clone()), false)
                    }
                    _ => return None,
                };
                Some(Outcome::Conversation {
                    id,
                    title,
                    members: summaries(accounts, &everyone)?,
                    created,
                })
            }
            (Self::SendMessage { text, .. }, StoredOutcome::Message { id }) => {
                Some(Outcome::Message {
                    id,
                    sender_id: actor,
                    text: text.as_str().to_owned(),
                    created_at: time(id::millis(id)),
                })
            }
            (Self::MarkRead { .. }, stored) => stored.done(),
            _ => None,
        }
    }
}

/// None if one of the accounts does not exist.
fn summaries(accounts: &Accounts, ids: &BTreeSet<Uuid>) -> Option<Vec<AccountSummary>> {
    let summary = |id: &Uuid| Some(accounts.get(*id)?.summary(*id));
    ids.iter().map(summary).collect()
}

fn everyone(members: &BTreeSet<Uuid>, actor: Uuid) -> BTreeSet<Uuid> {
    members.iter().copied().chain([actor]).collect()
}

fn start(
    accounts: &Accounts,
    conversations: &Conversations,
    id: Uuid,
    everyone: BTreeSet<Uuid>,
    title: Option<String>,
    creator: Option<Uuid>,
) -> Result<Decision, Rejection> {
    if everyone.len() < 2 {
        return Err(Rejection::NoOtherMember);
    }
    if everyone.len() > MAX_MEMBERS {
        return Err(Rejection::TooManyMembers(MAX_MEMBERS));
    }
    let members = summaries(accounts, &everyone)
        .ok_or(Rejection::field_not_found(Resource::Account, "members"))?;
    let existing = pair(everyone.iter().copied()).and_then(|pair| conversations.of_pair(pair));
    if let Some(existing) = existing {
        let found = conversations.rows.get(&existing);
        return Ok(Decision::unchanged(Outcome::Conversation {
            id: existing,
            title: found.and_then(|found| found.title.clone()),
            members,
            created: false,
        }));
    }
    let event = ConversationCreated {
        conversation: id,
        members: everyone.into_iter().collect(),
        title: title.clone(),
        creator,
    };
    let outcome = Outcome::Conversation {
        id,
        title,
        members,
        created: true,
    };
    Ok(Decision::new(Event::ConversationCreated(event), outcome))
}

fn mark_read(
    conversations: &Conversations,
    actor: Uuid,
    conversation: Uuid,
    up_to: Uuid,
) -> Result<Decision, Rejection> {
    let mark = conversations.read_mark(conversation, actor)?;
    if conversations.messages.get(&(conversation, up_to)).is_none() {
        return Err(Rejection::field_not_found(Resource::Message, "up_to"));
    }
    if mark.is_some_and(|mark| mark >= up_to) {
        return Ok(Decision::unchanged(Outcome::Done));
    }
    Ok(Decision::done(Event::ConversationRead(ConversationRead {
        conversation,
        user: actor,
        up_to,
    })))
}
