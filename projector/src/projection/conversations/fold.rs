//! A batch's net changes to conversations.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use feedmill_events::Event;
use uuid::Uuid;

use crate::{
    batch::Batch,
    error::ApplyError,
    projection::{event_time::created_at, net::Net},
};

#[derive(Debug, Default)]
pub struct Changes<'a> {
    pub created: Vec<NewConversation<'a>>,
    /// By conversation and id: the new messages that stand at the end of the batch.
    pub messages: BTreeMap<(Uuid, Uuid), NewMessage<'a>>,
    /// Conversation and id of messages from before the batch.
    pub deleted: Vec<(Uuid, Uuid)>,
    /// By conversation: what its new messages add up to.
    pub totals: BTreeMap<Uuid, MessageTotals>,
    /// By user and conversation: memberships that begin after the conversation, with the id after which the member sees messages,
    /// and those that end.
    pub memberships: Net<(Uuid, Uuid), Uuid>,
    /// By user and conversation: the greatest message id that the batch marks as read.
    pub marks: BTreeMap<(Uuid, Uuid), Uuid>,
    /// By user and conversation: whether the user has muted it at the end of the batch.
    pub muted: BTreeMap<(Uuid, Uuid), bool>,
    /// By conversation: its last new title.
    pub titles: BTreeMap<Uuid, Option<&'a str>>,
}

#[derive(Debug)]
pub struct NewConversation<'a> {
    pub id: Uuid,
    pub title: Option<&'a str>,
    pub members: &'a [Uuid],
}

#[derive(Debug)]
pub struct NewMessage<'a> {
    pub conversation: Uuid,
    pub id: Uuid,
    pub sender: Uuid,
    pub text: &'a str,
    pub created_at: DateTime<Utc>,
}

/// A message from before the batch that the batch deletes.
#[derive(Debug)]
pub struct DeletedMessage {
    pub conversation: Uuid,
    pub id: Uuid,
    pub sender: Uuid,
}

#[derive(Debug, Default)]
pub struct MessageTotals {
    pub count: i64,
    /// The greatest id of the new messages.
    pub last: Uuid,
}

impl<'a> Changes<'a> {
    pub fn of(batch: &'a Batch) -> Result<Self, ApplyError> {
        let mut changes = Self::default();
        for logged in &batch.events {
            match &logged.event {
                Event::ConversationCreated(e) => changes.created.push(NewConversation {
                    id: e.conversation,
                    title: e.title.as_deref(),
                    members: &e.members,
                }),
                Event::MessageSent(e) => {
                    let message = NewMessage {
                        conversation: e.conversation,
                        id: e.message,
                        sender: e.sender,
                        text: &e.text,
                        created_at: created_at(e.message)?,
                    };
                    let key = (e.conversation, e.message);
                    changes.messages.insert(key, message);
                }
                Event::MessageDeleted(e) => {
                    let key = (e.conversation, e.message);
                    if changes.messages.remove(&key).is_none() {
                        changes.deleted.push(key);
                    }
                }
                Event::ConversationRead(e) => {
                    let mark = changes.marks.entry((e.user, e.conversation)).or_default();
                    *mark = e.up_to.max(*mark);
                }
                Event::ConversationMuted(e) => {
                    changes.muted.insert((e.user, e.conversation), true);
                }
                Event::ConversationUnmuted(e) => {
                    changes.muted.insert((e.user, e.conversation), false);
                }
                Event::MemberAdded(e) => {
                    let key = (e.user, e.conversation);
                    changes.memberships.start(key, e.since);
                }
                Event::MemberLeft(e) => {
                    let key = (e.user, e.conversation);
                    changes.memberships.stop(key);
                    changes.marks.remove(&key);
                    changes.muted.remove(&key);
                }
                Event::ConversationRenamed(e) => {
                    changes.titles.insert(e.conversation, e.title.as_deref());
                }
                _ => {}
            }
        }
        for (conversation, message) in changes.messages.keys() {
            let totals = changes.totals.entry(*conversation).or_default();
            totals.count += 1;
            totals.last = totals.last.max(*message);
        }
        Ok(changes)
    }

    /// By user: how many conversations more the user has after the batch.
    pub fn joined(&self) -> BTreeMap<Uuid, i64> {
        let mut joined = BTreeMap::new();
        for member in self.created.iter().flat_map(|created| created.members) {
            *joined.entry(*member).or_default() += 1;
        }
        for ((user, _), _) in self.memberships.current() {
            *joined.entry(user).or_default() += 1;
        }
        for (user, _) in self.memberships.ended() {
            *joined.entry(user).or_default() -= 1;
        }
        joined.retain(|_, count| *count != 0);
        joined
    }

    /// The conversations whose title or members change.
    pub fn changed(&self) -> BTreeSet<Uuid> {
        let renamed = self.titles.keys().copied();
        let memberships = self.memberships.changed();
        renamed
            .chain(memberships.map(|(_, conversation)| conversation))
            .collect()
    }
}
