//! The oracle's state from the events of a log, partition by partition: effects across partitions commute.

use feedmill_events::{
    Envelope, Event,
    event::{
        v1::{AccountBlocked, Audience, AudienceChanged, SettingsChanged},
        v2::PostCreated,
    },
};
use uuid::Uuid;

use super::state::{Oracle, Settings};
use crate::link::{LinkChange, LinkKind, LinkTarget};

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
            Event::SettingsChanged(e) => self.change_settings(e.account, settings(e)),
            Event::PostCreated(e) => match &e.reply_to {
                None => {
                    let audience = e.audience.clone().unwrap_or(Audience::Public);
                    self.create_post(e.post, e.author, &e.text, audience);
                }
                Some(parent) => self.create_reply(e.post, e.author, &e.text, parent.post),
            },
            Event::PostEdited(e) => self.edit_post(e.post, &e.text, at),
            Event::AudienceChanged(e) => self.change_audience(e.post, e.audience.clone()),
            Event::PostDeleted(e) => self.delete_post(e.post),
            Event::ConnectionRequested(e) => self.connections.fold_requested(at, e),
            Event::ConnectionRequestEnded(e) => self.connections.fold_request_ended(e),
            Event::ConnectionMade(e) => self.connections.fold_made(at, e),
            Event::ConnectionEnded(e) => self.connections.fold_ended(e),
            Event::AccountBlocked(e) => self.blocks.fold_blocked(at, e),
            Event::AccountUnblocked(e) => self.blocks.fold_unblocked(e),
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
            Event::SettingsChanged(e) => self.is_legal_settings(e),
            Event::PostCreated(e) => self.is_legal_post(e),
            Event::PostEdited(e) => {
                let found = self.posts.get(&e.post);
                found.is_some_and(|post| post.author == e.author && post.text != e.text)
            }
            Event::AudienceChanged(e) => self.is_legal_change(e),
            Event::PostDeleted(e) => {
                let parent = e.reply_to.map(|parent| parent.post);
                let found = self.posts.get(&e.post);
                found.is_some_and(|post| post.author == e.author && post.reply_to == parent)
            }
            Event::ConnectionRequested(e) => {
                !self.blocks.between(e.to, e.from) && self.connections.is_legal_request(e)
            }
            Event::ConnectionRequestEnded(e) => self.connections.is_legal_request_end(e),
            Event::ConnectionMade(e) => {
                !self.blocks.between(e.account, e.other) && self.connections.is_legal_connection(e)
            }
            Event::ConnectionEnded(e) => {
                self.connections.is_legal_end(e)
                    && self.tags.of(e.account, e.other).next().is_none()
            }
            Event::AccountBlocked(e) => self.blocks.is_legal_block(e) && self.is_cut_off(e),
            Event::AccountUnblocked(e) => self.blocks.is_legal_unblock(e),
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

    fn is_legal_settings(&self, event: &SettingsChanged) -> bool {
        let account = self.accounts.get(&event.account);
        let is_tags = matches!(event.default_audience, Audience::Tags(_));
        account.is_some_and(|account| account.settings() != settings(event)) && !is_tags
    }

    fn is_legal_post(&self, event: &PostCreated) -> bool {
        let is_new = self.any_post(event.post).is_none();
        let fits = match (&event.reply_to, &event.audience) {
            (None, Some(audience)) => {
                event.root_author == Some(event.author)
                    && self.is_legal_audience(event.author, audience)
            }
            (Some(parent), None) => {
                let exists = self.is_author(parent.author, parent.post);
                exists && self.is_legal_reply(event, parent.post)
            }
            (None, None) | (Some(_), Some(_)) => false,
        };
        is_new && fits
    }

    /// Whether the author may reply to this post, which stands. The first version of the event lacks the root's author.
    fn is_legal_reply(&self, event: &PostCreated, parent: Uuid) -> bool {
        let root_author = self.thread_of(parent).author;
        event.root_author.is_none_or(|author| author == root_author)
            && self.may_act_on(event.author, parent)
    }

    fn is_legal_change(&self, event: &AudienceChanged) -> bool {
        let is_root = |post: Uuid| self.posts.get(&post).is_some_and(|p| p.reply_to.is_none());
        self.is_author(event.author, event.post)
            && is_root(event.post)
            && self.threads[&event.post].audience != event.audience
            && self.is_legal_audience(event.author, &event.audience)
    }

    /// Whether this account sees the post, as far as its partition says. It lacks a block with the author of a reply.
    fn may_act_on(&self, account: Uuid, post: Uuid) -> bool {
        self.is_author(account, post) || self.sees_thread(account, self.thread_of(post))
    }

    /// Whether nothing in the partition of the account connects the two any more.
    fn is_cut_off(&self, event: &AccountBlocked) -> bool {
        let (account, other) = (event.account, event.other);
        let follow = self.linked_since(LinkKind::Follow, other, account);
        follow.is_none()
            && !self.connections.are_connected(account, other)
            && self.connections.requested_at(other, account).is_none()
    }

    fn is_legal_link(&self, change: &LinkChange) -> bool {
        let (from, to) = (change.from, change.to);
        let makes = change.undone_since.is_none();
        let target = match change.kind.target() {
            LinkTarget::Post => {
                let author = change.author;
                let exists = self.posts.get(&to);
                exists.is_some_and(|post| author.is_none_or(|author| author == post.author))
                    && (!makes || self.may_act_on(from, to))
            }
            // Mutes ignore blocks.
            LinkTarget::Account => {
                let is_follow = makes && change.kind == LinkKind::Follow;
                from != to && !(is_follow && self.blocks.between(to, from))
            }
        };
        target && self.linked_since(change.kind, from, to) == change.undone_since
    }
}

/// The settings that an event leaves.
fn settings(event: &SettingsChanged) -> Settings {
    Settings {
        default_audience: event.default_audience.clone(),
        who_may_message: event.who_may_message,
    }
}
