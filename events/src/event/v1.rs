//! Version 1 of every event. Frozen: these structs are what the golden bytes in `tests/golden` decode to.
//!
//! An event says all that a projection needs to apply it without asking anybody: whose post was liked, since
//! when the follow stood that now ends. Times are Unix milliseconds.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountCreated {
    pub account: Uuid,
    /// Lower case.
    pub handle: String,
    pub display_name: String,
}

/// The whole profile as it now is, so that applying it needs no state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileChanged {
    pub account: Uuid,
    pub handle: String,
    pub display_name: String,
    pub bio: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountFollowed {
    pub follower: Uuid,
    pub followee: Uuid,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountUnfollowed {
    pub follower: Uuid,
    pub followee: Uuid,
    /// When the follow that ends here began.
    pub followed_at: i64,
}

/// The post that a reply answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    pub post: Uuid,
    pub author: Uuid,
}

/// The post's time is its id's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostCreated {
    pub post: Uuid,
    pub author: Uuid,
    /// None for a root post.
    pub reply_to: Option<Parent>,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostDeleted {
    pub post: Uuid,
    pub author: Uuid,
    pub reply_to: Option<Parent>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostLiked {
    pub post: Uuid,
    pub author: Uuid,
    pub user: Uuid,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostUnliked {
    pub post: Uuid,
    pub author: Uuid,
    pub user: Uuid,
    /// When the like that ends here was given.
    pub liked_at: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationCreated {
    pub conversation: Uuid,
    /// Everyone in it, its maker included, each once.
    pub members: Vec<Uuid>,
    pub title: Option<String>,
}

/// The message's time is its id's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageSent {
    pub conversation: Uuid,
    pub message: Uuid,
    pub sender: Uuid,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationRead {
    pub conversation: Uuid,
    pub user: Uuid,
    /// A message of the conversation; it and all before it are read.
    pub up_to: Uuid,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationsRead {
    pub user: Uuid,
    /// Notifications with this id and all before it are read.
    pub up_to: Uuid,
}
