//! The oracle: all state in plain collections, every command a plain loop, and every read its definition.
//! Nothing here is clever, and nothing here is shared with the services.

mod fold;
mod reads;

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

pub use reads::{Period, time};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub handle: String,
    pub display_name: String,
    pub bio: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    pub author: Uuid,
    pub text: String,
    pub reply_to: Option<Uuid>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub sender: Uuid,
    pub text: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conversation {
    pub title: Option<String>,
    /// Every member, and up to where they have read.
    pub members: BTreeMap<Uuid, Option<Uuid>>,
    pub messages: BTreeMap<Uuid, Message>,
}

/// What stands now. Ids order things by time; times are Unix milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Model {
    pub accounts: BTreeMap<Uuid, Account>,
    pub posts: BTreeMap<Uuid, Post>,
    pub deleted: BTreeSet<Uuid>,
    /// Post and user, and when.
    pub likes: BTreeMap<(Uuid, Uuid), i64>,
    /// Follower and followee, and when.
    pub follows: BTreeMap<(Uuid, Uuid), i64>,
    pub conversations: BTreeMap<Uuid, Conversation>,
    /// Up to where each account has read its notifications.
    pub notification_marks: BTreeMap<Uuid, Uuid>,
}

impl Model {
    pub fn create_account(&mut self, id: Uuid, handle: &str, display_name: &str) {
        let account = Account {
            handle: handle.to_owned(),
            display_name: display_name.to_owned(),
            bio: String::new(),
        };
        self.accounts.insert(id, account);
    }

    pub fn create_post(&mut self, id: Uuid, author: Uuid, text: &str, reply_to: Option<Uuid>) {
        self.posts.insert(
            id,
            Post {
                author,
                text: text.to_owned(),
                reply_to,
            },
        );
    }

    pub fn delete_post(&mut self, id: Uuid) {
        self.posts.remove(&id);
        self.deleted.insert(id);
        self.likes.retain(|(post, _), _| *post != id);
    }

    /// The first like counts, until it is taken back.
    pub fn like(&mut self, user: Uuid, post: Uuid, at: i64) {
        self.likes.entry((post, user)).or_insert(at);
    }

    pub fn unlike(&mut self, user: Uuid, post: Uuid) {
        self.likes.remove(&(post, user));
    }

    pub fn follow(&mut self, follower: Uuid, followee: Uuid, at: i64) {
        self.follows.entry((follower, followee)).or_insert(at);
    }

    pub fn unfollow(&mut self, follower: Uuid, followee: Uuid) {
        self.follows.remove(&(follower, followee));
    }

    pub fn create_conversation(&mut self, id: Uuid, members: &[Uuid], title: Option<&str>) {
        let members = members.iter().map(|member| (*member, None)).collect();
        let conversation = Conversation {
            title: title.map(str::to_owned),
            members,
            ..Conversation::default()
        };
        self.conversations.insert(id, conversation);
    }

    pub fn send_message(&mut self, conversation: Uuid, id: Uuid, sender: Uuid, text: &str) {
        let message = Message {
            sender,
            text: text.to_owned(),
        };
        self.conversations
            .entry(conversation)
            .or_default()
            .messages
            .insert(id, message);
    }

    /// A read mark never moves back.
    pub fn mark_read(&mut self, conversation: Uuid, user: Uuid, up_to: Uuid) {
        let conversation = self.conversations.entry(conversation).or_default();
        let mark = conversation.members.entry(user).or_default();
        *mark = (*mark).max(Some(up_to));
    }

    /// Nor does this one.
    pub fn mark_notifications_read(&mut self, user: Uuid, up_to: Uuid) {
        let mark = self.notification_marks.entry(user).or_default();
        *mark = up_to.max(*mark);
    }

    /// The conversation of exactly these members, if they are two.
    pub fn pair(&self, members: &BTreeSet<Uuid>) -> Option<Uuid> {
        let same = |found: &Conversation| found.members.keys().eq(members);
        let found = self
            .conversations
            .iter()
            .find(|(_, found)| members.len() == 2 && same(found));
        found.map(|(id, _)| *id)
    }
}
