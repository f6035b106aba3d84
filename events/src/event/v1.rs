//! Version 1 of every event type. Frozen: the golden bytes in `tests/golden.txt` decode to these structs.
//!
//! An event contains everything that a projection needs to apply it without lookups, such as the author of a liked post
//! and the start of a follow that ends. Times are Unix milliseconds.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AccountCreated {
    pub account: Uuid,
    /// In lower case.
    pub handle: String,
    pub display_name: String,
}

/// The complete new profile, so that a projection can apply it without state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProfileChanged {
    pub account: Uuid,
    pub handle: String,
    pub display_name: String,
    pub bio: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AccountFollowed {
    pub follower: Uuid,
    pub followee: Uuid,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AccountUnfollowed {
    pub follower: Uuid,
    pub followee: Uuid,
    /// The start of the follow that ends.
    pub followed_at: i64,
}

/// The post that a reply answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Parent {
    pub post: Uuid,
    pub author: Uuid,
}

/// The time of the post is the time in its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PostCreated {
    pub post: Uuid,
    pub author: Uuid,
    /// None for a root post.
    pub reply_to: Option<Parent>,
    pub text: String,
}

/// The new text of a post, which is another than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PostEdited {
    pub post: Uuid,
    pub author: Uuid,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PostDeleted {
    pub post: Uuid,
    pub author: Uuid,
    pub reply_to: Option<Parent>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PostLiked {
    pub post: Uuid,
    pub author: Uuid,
    pub user: Uuid,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PostUnliked {
    pub post: Uuid,
    pub author: Uuid,
    pub user: Uuid,
    /// The time of the like that ends.
    pub liked_at: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PostBookmarked {
    pub post: Uuid,
    pub user: Uuid,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PostUnbookmarked {
    pub post: Uuid,
    pub user: Uuid,
    /// The time of the bookmark that ends.
    pub bookmarked_at: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ConversationCreated {
    pub conversation: Uuid,
    /// All members including the creator, each once.
    pub members: Vec<Uuid>,
    pub title: Option<String>,
}

/// The time of the message is the time in its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MessageSent {
    pub conversation: Uuid,
    pub message: Uuid,
    pub sender: Uuid,
    pub text: String,
}

/// For everyone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MessageDeleted {
    pub conversation: Uuid,
    pub message: Uuid,
    pub sender: Uuid,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ConversationRead {
    pub conversation: Uuid,
    pub user: Uuid,
    /// A message of the conversation. It and all earlier messages are read.
    pub up_to: Uuid,
}

/// A member mutes the conversation for themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ConversationMuted {
    pub conversation: Uuid,
    pub user: Uuid,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ConversationUnmuted {
    pub conversation: Uuid,
    pub user: Uuid,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ConversationRenamed {
    pub conversation: Uuid,
    /// The member who renames it.
    pub user: Uuid,
    /// None if the conversation no longer has a title.
    pub title: Option<String>,
}

/// An account becomes a member of a group that exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MemberAdded {
    pub conversation: Uuid,
    pub user: Uuid,
    /// The member who adds it.
    pub added_by: Uuid,
    /// An id with the time of the addition, not less than those of the messages so far. The new member sees the messages after
    /// it.
    pub since: Uuid,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MemberLeft {
    pub conversation: Uuid,
    pub user: Uuid,
    /// An id with the time of leaving, not less than those of the messages so far. The account was a member for the messages up
    /// to it.
    pub until: Uuid,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FeedRead {
    pub user: Uuid,
    /// Posts up to this id are read. There need not be a post with the id.
    pub up_to: Uuid,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NotificationsRead {
    pub user: Uuid,
    /// A notification id. Notifications up to this id are read.
    pub up_to: Uuid,
}

/// An account asks another one for a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ConnectionRequested {
    pub from: Uuid,
    pub to: Uuid,
}

/// A request was withdrawn or declined. (One that is accepted ends with [`ConnectionMade`].)
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ConnectionRequestEnded {
    pub from: Uuid,
    pub to: Uuid,
    /// The time of the request.
    pub requested_at: i64,
    /// By `to`. Otherwise it was withdrawn by `from`.
    pub declined: bool,
}

/// Two accounts connected. The log has this event twice, once for each of them as `account`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ConnectionMade {
    pub account: Uuid,
    pub other: Uuid,
    /// The one of the two who asked. The other one accepted.
    pub requester: Uuid,
    /// The time of the request that was accepted; None if an import made the connection without one.
    pub requested_at: Option<i64>,
}

/// A connection ended. The log has this event twice, once for each of the two as `account`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ConnectionEnded {
    pub account: Uuid,
    pub other: Uuid,
    /// The one of the two who had asked.
    pub requester: Uuid,
    /// The time at which they connected.
    pub connected_at: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AccountMuted {
    pub muter: Uuid,
    pub muted: Uuid,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AccountUnmuted {
    pub muter: Uuid,
    pub muted: Uuid,
    /// The start of the mute that ends.
    pub muted_at: i64,
}

/// A private label of an account for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TagCreated {
    pub tag: Uuid,
    pub owner: Uuid,
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TagRenamed {
    pub tag: Uuid,
    pub owner: Uuid,
    pub name: String,
}

/// With all of its members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TagDeleted {
    pub tag: Uuid,
    pub owner: Uuid,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TagMemberAdded {
    pub tag: Uuid,
    pub owner: Uuid,
    pub member: Uuid,
}

/// Also when the connection of the owner and the member ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TagMemberRemoved {
    pub tag: Uuid,
    pub owner: Uuid,
    pub member: Uuid,
    /// The time at which the member was added.
    pub added_at: i64,
}

/// Who sees the posts of a thread, besides the author of its root post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Audience {
    Public,
    /// Those whom the author is connected with.
    Connections,
    /// The members of any of these tags of the author, in ascending order of ids.
    Tags(Vec<Uuid>),
    /// Nobody else.
    Me,
}

/// A root post gets another audience.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AudienceChanged {
    pub post: Uuid,
    pub author: Uuid,
    pub audience: Audience,
}

/// Who can begin a conversation with an account, or add it to a group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum WhoMayMessage {
    #[default]
    Everyone,
    Connections,
}

/// The complete new settings of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SettingsChanged {
    pub account: Uuid,
    /// The audience of root posts that name none. Not one with tags.
    pub default_audience: Audience,
    pub who_may_message: WhoMayMessage,
}

/// An account blocks another one. The log has this event twice, once for each of the two as `account`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AccountBlocked {
    pub account: Uuid,
    pub other: Uuid,
    /// The one of the two who blocks.
    pub blocker: Uuid,
}

/// A block ended. The log has this event twice, once for each of the two as `account`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AccountUnblocked {
    pub account: Uuid,
    pub other: Uuid,
    /// The one of the two who blocked.
    pub blocker: Uuid,
    /// The start of the block that ends.
    pub blocked_at: i64,
}
