//! Conversations, their messages, and the settings of their members.
//!
//! - [`command`]: the commands; [`decide`], [`members`]: their decisions; [`contacts`]: whom an account can start a conversation
//!   with.
//! - [`sql`]: loads and saves the state.

pub mod command;
mod contacts;
mod decide;
mod members;
pub mod sql;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};

use feedmill_events::event::{
    v1::{
        ConversationMuted, ConversationRead, ConversationRenamed, ConversationUnmuted, MemberAdded,
        MemberLeft, MessageDeleted, MessageSent,
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
    /// The two members of a conversation of two, whose title and members never change. There is one conversation for each pair.
    /// None for a group, however many members it has now.
    pub pair: Option<Pair>,
}

/// A present or former member of a conversation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Member {
    pub read_up_to: Option<Uuid>,
    pub muted: bool,
    /// The member sees the messages after this id. None for a member from the start, who sees all.
    pub since: Option<Uuid>,
    /// An id with the time when the member left. None for a present member.
    pub left_at: Option<Uuid>,
}

impl Member {
    fn sees(&self, message: Uuid) -> bool {
        self.since.is_none_or(|since| message > since)
    }
}

/// Facts about a conversation's rows in other tables.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extent {
    /// The number of its members, without those who have left.
    pub members: usize,
    /// The greatest id of its messages.
    pub last_message: Option<Uuid>,
}

#[derive(Debug, Default)]
pub struct Conversations {
    rows: Table<Uuid, Conversation>,
    /// The conversation of each pair: an index on `rows`, of which nothing is saved.
    pairs: Table<Pair, Uuid>,
    /// The pair of each conversation of two: the opposite index, loaded with the members.
    pair_of: HashMap<Uuid, Pair>,
    /// By conversation. Extents are loaded with the rows and not saved.
    extents: Table<Uuid, Extent>,
    /// By conversation and account.
    members: Table<(Uuid, Uuid), Member>,
    /// The sender, by conversation and message. A deleted message has no row.
    messages: Table<(Uuid, Uuid), Uuid>,
}

impl Conversations {
    pub fn take_requested_members(&mut self) -> Vec<(Uuid, Uuid)> {
        self.members.take_requested()
    }

    /// `pair` is that of the conversation.
    pub fn load_member(
        &mut self,
        conversation: Uuid,
        account: Uuid,
        member: Member,
        pair: Option<Pair>,
    ) {
        self.members.load((conversation, account), member);
        if let Some(pair) = pair {
            self.pair_of.insert(conversation, pair);
        }
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
            self.pair_of.insert(conversation, pair);
        }
        for member in &event.members {
            self.members
                .insert((conversation, *member), Member::default());
        }
        let extent = Extent {
            members: event.members.len(),
            last_message: None,
        };
        self.extents.insert(conversation, extent);
        let title = event.title.clone();
        self.rows.insert(conversation, Conversation { title, pair });
    }

    pub fn message_sent(&mut self, event: &MessageSent) {
        self.messages
            .insert((event.conversation, event.message), event.sender);
        self.change_extent(event.conversation, |extent| {
            extent.last_message = extent.last_message.max(Some(event.message));
        });
    }

    pub fn message_deleted(&mut self, event: &MessageDeleted) {
        self.messages.remove(&(event.conversation, event.message));
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

    pub fn member_added(&mut self, event: &MemberAdded) {
        let member = Member {
            since: Some(event.since),
            ..Member::default()
        };
        self.members
            .insert((event.conversation, event.user), member);
        self.change_extent(event.conversation, |extent| extent.members += 1);
    }

    /// Clears the member's read mark and settings.
    pub fn member_left(&mut self, event: &MemberLeft) {
        let former = Member {
            left_at: Some(event.until),
            ..Member::default()
        };
        self.members
            .insert((event.conversation, event.user), former);
        self.change_extent(event.conversation, |extent| extent.members -= 1);
    }

    fn change_extent(&mut self, conversation: Uuid, change: impl Fn(&mut Extent)) {
        if let Some(mut extent) = self.extents.get(&conversation).copied() {
            change(&mut extent);
            self.extents.insert(conversation, extent);
        }
    }

    fn change_member(&mut self, conversation: Uuid, account: Uuid, change: impl Fn(&mut Member)) {
        let key = (conversation, account);
        if let Some(mut member) = self.members.get(&key).copied() {
            change(&mut member);
            self.members.insert(key, member);
        }
    }

    /// The actor as a member of the conversation. If the actor is not a member, or has left, the conversation is rejected as if
    /// it did not exist.
    fn member(&self, conversation: Uuid, actor: Uuid) -> Result<Member, Rejection> {
        let member = self.members.get(&(conversation, actor)).copied();
        let member = member.filter(|member| member.left_at.is_none());
        member.ok_or(Rejection::not_found(Resource::Conversation))
    }

    /// When the account left the conversation. None if it is a member, or has never been one.
    fn left_at(&self, conversation: Uuid, account: Uuid) -> Option<Uuid> {
        self.members.get(&(conversation, account))?.left_at
    }

    /// Whether the account is a member of the conversation now.
    fn has_member(&self, conversation: Uuid, account: Uuid) -> bool {
        self.member(conversation, account).is_ok()
    }

    /// The extent of a conversation whose row was requested.
    fn extent(&self, conversation: Uuid) -> Extent {
        self.extents.get(&conversation).copied().unwrap_or_default()
    }

    /// The row of a conversation that was requested.
    fn row(&self, conversation: Uuid) -> Result<&Conversation, Rejection> {
        let found = self.rows.get(&conversation);
        found.ok_or(Rejection::not_found(Resource::Conversation))
    }
}
