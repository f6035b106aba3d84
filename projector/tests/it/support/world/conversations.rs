//! Conversations.

use feedmill_events::{
    Event, Partition,
    event::{
        v1::{
            ConversationMuted, ConversationRead, ConversationRenamed, ConversationUnmuted,
            MemberAdded, MemberLeft, MessageDeleted, MessageSent,
        },
        v2::ConversationCreated,
    },
    id,
};
use rand::{Rng as _, seq::SliceRandom as _};
use uuid::Uuid;

use super::World;

impl World {
    pub(super) fn converse(&mut self) -> Event {
        let conversation = self.id(None);
        let now = self.now;
        let ids: Vec<Uuid> = self.oracle.accounts.keys().copied().collect();
        let rng = self.rng();
        let size = rng.gen_range(2..=3);
        let members: Vec<Uuid> = ids.choose_multiple(rng, size).copied().collect();
        let title = rng.gen_bool(0.5).then(|| format!("About {now}"));
        // Without a creator, the event is stored as version 1.
        let creator = members.first().copied().filter(|_| rng.gen_bool(0.5));
        Event::ConversationCreated(ConversationCreated {
            conversation,
            members,
            title,
            creator,
        })
    }

    pub(super) fn say(&mut self) -> Option<Event> {
        let conversation = self.any_conversation()?;
        let message = self.id(Some(Partition::of(conversation)));
        Some(Event::MessageSent(MessageSent {
            conversation,
            message,
            sender: self.any_member(conversation)?,
            text: format!("Message {message}"),
        }))
    }

    /// Deletes a message, often the last one.
    pub(super) fn unsay(&mut self) -> Option<Event> {
        let conversation = self.any_conversation()?;
        let messages = self.oracle.conversations[&conversation].messages.iter();
        let mut messages: Vec<(Uuid, Uuid)> = messages
            .rev()
            .map(|(id, message)| (*id, message.sender))
            .collect();
        if self.rng().gen_bool(0.5) {
            messages.truncate(1);
        }
        let (message, sender) = self.any(&messages)?;
        Some(Event::MessageDeleted(MessageDeleted {
            conversation,
            message,
            sender,
        }))
    }

    /// Moves a read mark to the latest message, or tries to move it to any.
    pub(super) fn read(&mut self) -> Option<Event> {
        let conversation = self.any_conversation()?;
        let messages = self.oracle.conversations[&conversation].messages.keys();
        let mut messages: Vec<Uuid> = messages.rev().copied().collect();
        if self.rng().gen_bool(0.5) {
            messages.truncate(1);
        }
        Some(Event::ConversationRead(ConversationRead {
            conversation,
            user: self.any_member(conversation)?,
            up_to: self.any(&messages)?,
        }))
    }

    /// Mutes a conversation, or unmutes it.
    pub(super) fn mute(&mut self) -> Option<Event> {
        let conversation = self.any_conversation()?;
        let user = self.any_member(conversation)?;
        Some(if self.oracle.has_muted(user, conversation) {
            Event::ConversationUnmuted(ConversationUnmuted { conversation, user })
        } else {
            Event::ConversationMuted(ConversationMuted { conversation, user })
        })
    }

    /// Also somebody who has left.
    pub(super) fn add_member(&mut self) -> Option<Event> {
        let conversation = self.any_group()?;
        let (user, added_by) = (self.any_account()?, self.any_member(conversation)?);
        let is_new = !self.oracle.is_member(user, conversation);
        let since = self.boundary(conversation);
        is_new.then_some(Event::MemberAdded(MemberAdded {
            conversation,
            user,
            added_by,
            since,
        }))
    }

    pub(super) fn leave(&mut self) -> Option<Event> {
        let conversation = self.any_group()?;
        Some(Event::MemberLeft(MemberLeft {
            conversation,
            user: self.any_member(conversation)?,
            until: self.boundary(conversation),
        }))
    }

    /// An id with the present time that is not less than those of the messages and of earlier boundaries.
    pub(super) fn boundary(&mut self, conversation: Uuid) -> Uuid {
        self.counter = (self.counter + 1) % 4096;
        let (now, counter) = (self.now, self.counter);
        let random = self.rng().r#gen();
        let id = id::compose(now, counter, random, Some(Partition::of(conversation)));
        let last = self.oracle.conversations[&conversation].last_message();
        last.map_or(id, |last| last.max(id))
    }

    pub(super) fn rename(&mut self) -> Option<Event> {
        let conversation = self.any_group()?;
        let (user, now) = (self.any_member(conversation)?, self.now);
        let titled = self.rng().gen_bool(0.7);
        Some(Event::ConversationRenamed(ConversationRenamed {
            conversation,
            user,
            title: titled.then(|| format!("Title at {now}")),
        }))
    }
}
