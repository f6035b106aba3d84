//! A batch's net changes to conversations.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use feedmill_events::Event;
use uuid::Uuid;

use crate::{batch::Batch, error::ApplyError, projection::event_time::created_at};

#[derive(Debug, Default)]
pub struct Changes<'a> {
    pub created: Vec<NewConversation<'a>>,
    pub messages: Vec<NewMessage<'a>>,
    /// By conversation: what its new messages add up to.
    pub totals: BTreeMap<Uuid, MessageTotals>,
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
                    changes.messages.push(NewMessage {
                        conversation: e.conversation,
                        id: e.message,
                        sender: e.sender,
                        text: &e.text,
                        created_at: created_at(e.message)?,
                    });
                    let totals = changes.totals.entry(e.conversation).or_default();
                    totals.count += 1;
                    totals.last = totals.last.max(e.message);
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
                Event::ConversationRenamed(e) => {
                    changes.titles.insert(e.conversation, e.title.as_deref());
                }
                _ => {}
            }
        }
        Ok(changes)
    }

    /// By user: how many conversations the batch creates with the user.
    pub fn joined(&self) -> BTreeMap<Uuid, i64> {
        let mut joined = BTreeMap::new();
        for member in self.created.iter().flat_map(|created| created.members) {
            *joined.entry(*member).or_default() += 1;
        }
        joined
    }
}
