//! The oracle's state from the events of a log, partition by partition: effects across partitions commute.

use feedmill_events::{Envelope, Event};
use uuid::Uuid;

use super::state::Oracle;
use crate::link::{LinkChange, LinkTarget};

impl Oracle {
    /// Applies an event that must be legal in the present state. The error names an event that undoes nothing, or
    /// repeats something that stands.
    pub fn apply(&mut self, envelope: &Envelope) -> Result<(), String> {
        if !self.is_legal(&envelope.event) {
            return Err(format!("is not legal after its predecessors: {envelope:?}"));
        }
        self.fold(envelope);
        Ok(())
    }

    /// Applies an event, legal or not.
    pub fn fold(&mut self, envelope: &Envelope) {
        let at = envelope.at;
        if let Some(change) = LinkChange::of(&envelope.event) {
            match change.undone_since {
                None => self.link(change.kind, change.from, change.to, at),
                Some(_) => self.unlink(change.kind, change.from, change.to),
            }
            return;
        }
        match &envelope.event {
            Event::AccountCreated(e) => {
                self.create_account(e.account, &e.handle, &e.display_name, at);
            }
            Event::ProfileChanged(e) => {
                if let Some(account) = self.accounts.get_mut(&e.account) {
                    account.handle.clone_from(&e.handle);
                    account.display_name.clone_from(&e.display_name);
                    account.bio.clone_from(&e.bio);
                }
            }
            Event::PostCreated(e) => {
                let parent = e.reply_to.map(|parent| parent.post);
                self.create_post(e.post, e.author, &e.text, parent);
            }
            Event::PostEdited(e) => self.edit_post(e.post, &e.text, at),
            Event::PostDeleted(e) => self.delete_post(e.post),
            Event::ConnectionRequested(e) => self.connections.fold_requested(at, e),
            Event::ConnectionRequestEnded(e) => self.connections.fold_request_ended(e),
            Event::ConnectionMade(e) => self.connections.fold_made(at, e),
            Event::ConnectionEnded(e) => self.connections.fold_ended(e),
            Event::TagCreated(e) => self.tags.create(e.tag, e.owner, &e.name),
            Event::TagRenamed(e) => self.tags.rename(e.tag, &e.name),
            Event::TagDeleted(e) => self.tags.delete(e.tag),
            Event::TagMemberAdded(e) => self.tags.add(e.tag, e.member, at),
            Event::TagMemberRemoved(e) => self.tags.remove(e.tag, e.member),
            Event::ConversationCreated(e) => {
                self.create_conversation(e.conversation, &e.members, e.title.as_deref());
            }
            Event::MessageSent(e) => {
                self.send_message(e.conversation, e.message, e.sender, &e.text);
            }
            Event::MessageDeleted(e) => self.delete_message(e.conversation, e.message),
            Event::ConversationRead(e) => self.mark_read(e.conversation, e.user, e.up_to),
            Event::FeedRead(e) => self.mark_feed_read(e.user, e.up_to),
            Event::ConversationMuted(e) => self.set_muted(e.conversation, e.user, true),
            Event::ConversationUnmuted(e) => self.set_muted(e.conversation, e.user, false),
            Event::ConversationRenamed(e) => self.rename(e.conversation, e.title.as_deref()),
            Event::MemberAdded(e) => self.add_member(e.conversation, e.user, e.since),
            Event::MemberLeft(e) => self.leave(e.conversation, e.user, e.until),
            Event::NotificationsRead(e) => self.mark_notifications_read(e.user, e.up_to),
            event => unreachable!(
                "the oracle lacks {event:?}: add it to `LinkChange::of` or `Oracle::fold` and `is_legal`"
            ),
        }
    }

    /// Whether a correct write-api could append this event now.
    fn is_legal(&self, event: &Event) -> bool {
        if let Some(change) = LinkChange::of(event) {
            return self.is_legal_link(&change);
        }
        match event {
            Event::AccountCreated(e) => !self.accounts.contains_key(&e.account),
            Event::ProfileChanged(e) => self.accounts.contains_key(&e.account),
            Event::PostCreated(e) => {
                let parent = e
                    .reply_to
                    .is_none_or(|parent| self.is_author(parent.author, parent.post));
                let new = !self.posts.contains_key(&e.post) && !self.deleted.contains_key(&e.post);
                new && parent
            }
            Event::PostEdited(e) => {
                let found = self.posts.get(&e.post);
                found.is_some_and(|post| post.author == e.author && post.text != e.text)
            }
            Event::PostDeleted(e) => {
                let parent = e.reply_to.map(|parent| parent.post);
                let found = self.posts.get(&e.post);
                found.is_some_and(|post| post.author == e.author && post.reply_to == parent)
            }
            Event::ConnectionRequested(e) => self.connections.is_legal_request(e),
            Event::ConnectionRequestEnded(e) => self.connections.is_legal_request_end(e),
            Event::ConnectionMade(e) => self.connections.is_legal_connection(e),
            Event::ConnectionEnded(e) => {
                self.connections.is_legal_end(e)
                    && self.tags.of(e.account, e.other).next().is_none()
            }
            Event::TagCreated(e) => self.tags.is_free(e.tag, e.owner, &e.name),
            Event::TagRenamed(e) => {
                self.tags.is_owner(e.owner, e.tag)
                    && self.tags.is_free(Uuid::nil(), e.owner, &e.name)
            }
            Event::TagDeleted(e) => self.tags.is_owner(e.owner, e.tag),
            // The owner's side of the connection is in the same partition.
            Event::TagMemberAdded(e) => {
                self.tags.is_owner(e.owner, e.tag)
                    && self.connections.are_connected(e.owner, e.member)
                    && self.tags.added_at(e.tag, e.member).is_none()
            }
            Event::TagMemberRemoved(e) => {
                self.tags.is_owner(e.owner, e.tag)
                    && self.tags.added_at(e.tag, e.member) == Some(e.added_at)
            }
            Event::ConversationCreated(e) => {
                !self.conversations.contains_key(&e.conversation)
                    && self.pair(&e.members.iter().copied().collect()).is_none()
            }
            Event::MessageSent(e) => self.is_member(e.sender, e.conversation),
            Event::MessageDeleted(e) => {
                let found = self.conversations.get(&e.conversation);
                let message = found.and_then(|found| found.messages.get(&e.message));
                message.is_some_and(|message| message.sender == e.sender)
            }
            Event::ConversationRead(e) => {
                let found = self.conversations.get(&e.conversation);
                found.is_some_and(|found| {
                    let member = found.members.get(&e.user);
                    found.visible(e.user).any(|(id, _)| id == e.up_to)
                        && member.is_some_and(|member| member.read_up_to < Some(e.up_to))
                })
            }
            Event::FeedRead(e) => {
                let mark = self.feed_marks.get(&e.user);
                self.accounts.contains_key(&e.user) && mark.is_none_or(|mark| *mark < e.up_to)
            }
            Event::ConversationMuted(e) => {
                self.is_member(e.user, e.conversation) && !self.has_muted(e.user, e.conversation)
            }
            Event::ConversationUnmuted(e) => self.has_muted(e.user, e.conversation),
            Event::MemberAdded(e) => {
                let found = self.conversations.get(&e.conversation);
                let may = found.is_some_and(|found| {
                    let new = !found.members.contains_key(&e.user);
                    new && !found.is_pair && found.last_message() <= Some(e.since)
                });
                // The account may be in a partition that comes later.
                may && self.is_member(e.added_by, e.conversation)
            }
            Event::MemberLeft(e) => {
                let found = self.conversations.get(&e.conversation);
                found.is_some_and(|found| {
                    let member = found.members.get(&e.user);
                    let until = Some(e.until);
                    !found.is_pair
                        && found.last_message() <= until
                        && member.is_some_and(|member| member.since <= until)
                })
            }
            Event::ConversationRenamed(e) => {
                let found = self.conversations.get(&e.conversation);
                let changes = found.is_some_and(|found| !found.is_pair && found.title != e.title);
                changes && self.is_member(e.user, e.conversation)
            }
            Event::NotificationsRead(e) => {
                let mark = self.notification_marks.get(&e.user);
                self.accounts.contains_key(&e.user) && mark.is_none_or(|mark| *mark < e.up_to)
            }
            _ => false,
        }
    }

    fn is_legal_link(&self, change: &LinkChange) -> bool {
        let target = match change.kind.target() {
            LinkTarget::Post => change.author.map_or_else(
                || self.posts.contains_key(&change.to),
                |author| self.is_author(author, change.to),
            ),
            LinkTarget::Account => change.from != change.to,
        };
        let since = self.linked_since(change.kind, change.from, change.to);
        target && since == change.undone_since
    }
}
