//! Conversations, their messages, and what each member has set for themselves.
//!
//! - [`command`]: the commands; [`decide`]: what they lead to.
//! - [`sql`]: loads and saves the state.

pub mod command;
mod decide;
pub mod sql;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use feedmill_events::event::{
    v1::{
        ConversationMuted, ConversationRead, ConversationRenamed, ConversationUnmuted, MessageSent,
    },
    v2::ConversationCreated,
};
use uuid::Uuid;

use super::{
    decision::{Rejection, Resource},
    table::Table,
};

pub use command::ConversationCommand;

/// A message changes the row of each member in the read model, so this bounds its cost.
pub const MAX_MEMBERS: usize = 100;

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
    /// Of a conversation of two, of which there is one for each pair. Its title and its members never change. None: a group,
    /// however many members it has left.
    pub pair: Option<Pair>,
}

/// What a member has set in a conversation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Member {
    pub read_up_to: Option<Uuid>,
    pub muted: bool,
}

#[derive(Debug, Default)]
pub struct Conversations {
    rows: Table<Uuid, Conversation>,
    /// The conversation of each pair: an index on `rows`, of which nothing is saved.
    pairs: Table<Pair, Uuid>,
    /// By conversation and account.
    members: Table<(Uuid, Uuid), Member>,
    /// Conversation and message.
    messages: Table<(Uuid, Uuid), ()>,
}

impl Conversations {
    pub fn take_requested_members(&mut self) -> Vec<(Uuid, Uuid)> {
        self.members.take_requested()
    }

    pub fn load_member(&mut self, conversation: Uuid, account: Uuid, member: Member) {
        self.members.load((conversation, account), member);
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
            self.members
                .insert((conversation, *member), Member::default());
        }
        let title = event.title.clone();
        self.rows.insert(conversation, Conversation { title, pair });
    }

    pub fn message_sent(&mut self, event: &MessageSent) {
        self.messages
            .insert((event.conversation, event.message), ());
    }

    pub fn read(&mut self, event: &ConversationRead) {
        self.change_member(event.conversation, event.user, |member| {
            member.read_up_to = Some(event.up_to);
        });
    }

    pub fn muted(&mut self, event: &ConversationMuted) {
        self.change_member(event.conversation, event.user, |member| member.muted = true);
    }

    pub fn unmuted(&mut self, event: &ConversationUnmuted) {
        self.change_member(event.conversation, event.user, |member| {
            member.muted = false;
        });
    }

    pub fn renamed(&mut self, event: &ConversationRenamed) {
        if let Some(found) = self.rows.get(&event.conversation).cloned() {
            let title = event.title.clone();
            let renamed = Conversation { title, ..found };
            self.rows.insert(event.conversation, renamed);
        }
    }

    fn change_member(&mut self, conversation: Uuid, account: Uuid, change: impl Fn(&mut Member)) {
        let key = (conversation, account);
        if let Some(mut member) = self.members.get(&key).copied() {
            change(&mut member);
            self.members.insert(key, member);
        }
    }

    /// The actor as a member of the conversation. A conversation of others is rejected as if it did not exist.
    fn member(&self, conversation: Uuid, actor: Uuid) -> Result<Member, Rejection> {
        let member = self.members.get(&(conversation, actor)).copied();
        member.ok_or(Rejection::not_found(Resource::Conversation))
    }

    /// A conversation that was requested and whose member is known.
    fn row(&self, conversation: Uuid) -> Result<&Conversation, Rejection> {
        let found = self.rows.get(&conversation);
        found.ok_or(Rejection::not_found(Resource::Conversation))
    }
}
