//! The part of the state that a batch of commands needs: loaded whole before the first is decided, and moved on
//! by each event, so that the second of two commands in a batch sees what the first did.

use std::collections::{BTreeSet, HashMap, HashSet};

use feedmill_events::{Event, event::v1::Parent};
use uuid::Uuid;

use super::Command;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub handle: String,
    pub display_name: String,
    pub bio: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Post {
    pub author: Uuid,
    pub reply_to: Option<Parent>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    pub title: Option<String>,
}

/// What is there, of what was asked for. Times are Unix milliseconds.
#[derive(Debug, Default)]
pub struct State {
    pub accounts: HashMap<Uuid, Account>,
    /// Whose each handle is.
    pub handles: HashMap<String, Uuid>,
    pub posts: HashMap<Uuid, Post>,
    /// `(post, user)` and since when.
    pub likes: HashMap<(Uuid, Uuid), i64>,
    /// `(followee, follower)` and since when.
    pub follows: HashMap<(Uuid, Uuid), i64>,
    pub conversations: HashMap<Uuid, Conversation>,
    /// The conversation of each two, lower id first.
    pub pairs: HashMap<(Uuid, Uuid), Uuid>,
    /// `(conversation, user)` and their read mark.
    pub members: HashMap<(Uuid, Uuid), Option<Uuid>>,
    /// `(conversation, message)`.
    pub messages: HashSet<(Uuid, Uuid)>,
    /// Up to where each account has read its notifications.
    pub notification_marks: HashMap<Uuid, Uuid>,
}

impl State {
    /// Moves on by one event.
    pub fn apply(&mut self, at: i64, event: &Event) {
        match event {
            Event::AccountCreated(e) => {
                self.handles.insert(e.handle.clone(), e.account);
                self.accounts.insert(
                    e.account,
                    Account {
                        handle: e.handle.clone(),
                        display_name: e.display_name.clone(),
                        bio: String::new(),
                    },
                );
            }
            Event::ProfileChanged(e) => {
                if let Some(old) = self.accounts.get(&e.account)
                    && old.handle != e.handle
                {
                    self.handles.remove(&old.handle);
                    self.handles.insert(e.handle.clone(), e.account);
                }
                let account = Account {
                    handle: e.handle.clone(),
                    display_name: e.display_name.clone(),
                    bio: e.bio.clone(),
                };
                self.accounts.insert(e.account, account);
            }
            Event::AccountFollowed(e) => {
                self.follows.insert((e.followee, e.follower), at);
            }
            Event::AccountUnfollowed(e) => {
                self.follows.remove(&(e.followee, e.follower));
            }
            Event::PostCreated(e) => {
                self.posts.insert(
                    e.post,
                    Post {
                        author: e.author,
                        reply_to: e.reply_to,
                    },
                );
            }
            Event::PostDeleted(e) => {
                self.posts.remove(&e.post);
            }
            Event::PostLiked(e) => {
                self.likes.insert((e.post, e.user), at);
            }
            Event::PostUnliked(e) => {
                self.likes.remove(&(e.post, e.user));
            }
            Event::ConversationCreated(e) => {
                self.conversations.insert(
                    e.conversation,
                    Conversation {
                        title: e.title.clone(),
                    },
                );
                for member in &e.members {
                    self.members.insert((e.conversation, *member), None);
                }
                if let Some(pair) = pair(e.members.iter().copied()) {
                    self.pairs.insert(pair, e.conversation);
                }
            }
            Event::MessageSent(e) => {
                self.messages.insert((e.conversation, e.message));
            }
            Event::ConversationRead(e) => {
                self.members.insert((e.conversation, e.user), Some(e.up_to));
            }
            Event::NotificationsRead(e) => {
                self.notification_marks.insert(e.user, e.up_to);
            }
        }
    }
}

/// The two, lower first, if they are two.
pub fn pair(members: impl IntoIterator<Item = Uuid>) -> Option<(Uuid, Uuid)> {
    let members: BTreeSet<Uuid> = members.into_iter().collect();
    let mut members = members.into_iter();
    match (members.next(), members.next(), members.next()) {
        (Some(low), Some(high), None) => Some((low, high)),
        _ => None,
    }
}

/// What of the state a batch of commands needs.
#[derive(Debug, Default)]
pub struct Needs {
    pub accounts: BTreeSet<Uuid>,
    pub handles: BTreeSet<String>,
    pub posts: BTreeSet<Uuid>,
    pub likes: BTreeSet<(Uuid, Uuid)>,
    pub follows: BTreeSet<(Uuid, Uuid)>,
    pub pairs: BTreeSet<(Uuid, Uuid)>,
    pub members: BTreeSet<(Uuid, Uuid)>,
    pub messages: BTreeSet<(Uuid, Uuid)>,
    pub notification_marks: BTreeSet<Uuid>,
}

impl Needs {
    /// Adds what `decide` will look at for this command.
    pub fn include(&mut self, actor: Uuid, command: &Command) {
        if !actor.is_nil() {
            self.accounts.insert(actor);
        }
        match command {
            Command::CreateAccount { handle, .. } => {
                self.handles.insert(handle.as_str().to_owned());
            }
            Command::EnsureAccount {
                account,
                handle_hint,
                ..
            } => {
                self.accounts.insert(*account);
                self.handles.extend(super::account::handles_to_try(
                    *account,
                    handle_hint.as_deref(),
                ));
            }
            Command::ChangeProfile { handle, .. } => {
                self.handles
                    .extend(handle.iter().map(|handle| handle.as_str().to_owned()));
            }
            Command::CreatePost { reply_to, .. } => self.posts.extend(reply_to),
            Command::DeletePost { post } => {
                self.posts.insert(*post);
            }
            Command::Like { post } | Command::Unlike { post } => {
                self.posts.insert(*post);
                self.likes.insert((*post, actor));
            }
            Command::Follow { user } | Command::Unfollow { user } => {
                self.accounts.insert(*user);
                self.follows.insert((*user, actor));
            }
            Command::StartConversation { members, .. } => {
                self.accounts.extend(members);
                self.pairs
                    .extend(pair(members.iter().copied().chain([actor])));
            }
            Command::SendMessage { conversation, .. } => {
                self.members.insert((*conversation, actor));
            }
            Command::MarkRead {
                conversation,
                up_to,
            } => {
                self.members.insert((*conversation, actor));
                self.messages.insert((*conversation, *up_to));
            }
            Command::MarkNotificationsRead { .. } => {
                self.notification_marks.insert(actor);
            }
        }
    }
}
