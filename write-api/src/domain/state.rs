//! The part of the state that a batch of commands needs.

use feedmill_events::Event;
use uuid::Uuid;

use super::{
    account::Accounts,
    audience::Audiences,
    block::Blocks,
    connection::Connections,
    conversation::Conversations,
    link::{Links, kind::link_events},
    mark::Marks,
    post::Posts,
    tag::AudienceTags,
};

/// Requested by the commands of a batch, loaded before the first is decided, and moved on by each event, so that a
/// command sees the effect of those before it. A row that was not found when it was requested does not exist.
#[derive(Debug, Default)]
pub struct State {
    pub accounts: Accounts,
    pub posts: Posts,
    pub audiences: Audiences,
    pub links: Links,
    pub connections: Connections,
    pub blocks: Blocks,
    pub tags: AudienceTags,
    pub conversations: Conversations,
    pub marks: Marks,
}

impl State {
    /// Applies an event, for the later commands of the batch and for the changes to save. `at` is in Unix milliseconds.
    pub fn apply(&mut self, at: i64, event: &Event) {
        match event {
            Event::AccountCreated(event) => self.accounts.created(at, event),
            Event::ProfileChanged(event) => self.accounts.profile_changed(at, event),
            Event::SettingsChanged(event) => self.accounts.settings_changed(event),
            Event::PostCreated(event) => {
                self.posts.created(event);
                self.audiences.created(event);
            }
            Event::AudienceChanged(event) => self.audiences.changed(event),
            Event::PostEdited(event) => self.posts.edited(event),
            Event::PostDeleted(event) => {
                self.posts.deleted(event);
                self.links.delete_target(event.post);
            }
            link_events!() => self.links.apply(at, event),
            Event::ConnectionRequested(event) => self.connections.requested(at, event),
            Event::ConnectionRequestEnded(event) => self.connections.request_ended(at, event),
            Event::ConnectionMade(event) => self.connections.made(at, event),
            Event::ConnectionEnded(event) => self.connections.ended(event),
            Event::AccountBlocked(event) => self.blocks.blocked(at, event),
            Event::AccountUnblocked(event) => self.blocks.unblocked(event),
            Event::TagCreated(event) => self.tags.created(event),
            Event::TagRenamed(event) => self.tags.renamed(event),
            Event::TagDeleted(event) => self.tags.removed(event),
            Event::TagMemberAdded(event) => self.tags.member_added(at, event),
            Event::TagMemberRemoved(event) => self.tags.member_removed(event),
            Event::FeedRead(event) => self.marks.feed_read(event),
            Event::ConversationCreated(event) => self.conversations.created(event),
            Event::MessageSent(event) => self.conversations.message_sent(event),
            Event::MessageDeleted(event) => self.conversations.message_deleted(event),
            Event::ConversationRead(event) => self.conversations.read(event),
            Event::ConversationMuted(event) => self.conversations.muted(event),
            Event::ConversationUnmuted(event) => self.conversations.unmuted(event),
            Event::ConversationRenamed(event) => self.conversations.renamed(event),
            Event::MemberAdded(event) => self.conversations.member_added(event),
            Event::MemberLeft(event) => self.conversations.member_left(event),
            Event::NotificationsRead(event) => self.marks.notifications_read(event),
        }
    }

    /// The hash of a new account's password, for which there is no event.
    pub fn add_password_hash(&mut self, account: Uuid, hash: String) {
        self.accounts.add_password_hash(account, hash);
    }
}
