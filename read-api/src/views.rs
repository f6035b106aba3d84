//! The JSON objects that more than one part of the crate reads or sends.
//!
//! An object that exactly one endpoint wraps around these stands with that endpoint, in `endpoints`.

mod accounts;
mod conversations;
mod notifications;
mod page;
mod posts;

use serde::Serialize;
use utoipa::ToSchema;

pub use self::{
    accounts::{
        AccountSummary, AudienceTag, Block, Connection, ConnectionRequest, ConnectionState,
        DefaultAudience, Follow, Mute, OwnProfile, Profile, Relationship, Settings, TagMember,
        WhoMayMessage,
    },
    conversations::{Conversation, ConversationState, ConversationWithMarks, Member, Message},
    notifications::{Notification, NotificationPost, NotifiedAct},
    page::{CountedPage, Page},
    posts::{Audience, FeedPost, Like, Post},
};

pub type BlockList = CountedPage<Block>;
pub type ConnectionList = CountedPage<Connection>;
pub type ConnectionRequestList = CountedPage<ConnectionRequest>;
pub type ConversationPage = Page<Conversation>;
pub type FeedPostPage = Page<FeedPost>;
pub type FollowList = CountedPage<Follow>;
pub type LikeList = CountedPage<Like>;
pub type MessagePage = Page<Message>;
pub type MuteList = CountedPage<Mute>;
pub type NotificationPage = Page<Notification>;
pub type PostPage = Page<Post>;
pub type TagMemberList = CountedPage<TagMember>;
pub type TagPage = Page<AudienceTag>;

/// What happened to the caller in the period.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct DigestCounters {
    /// Posts of the caller's feed.
    #[schema(minimum = 0)]
    pub posts: i64,
    #[schema(minimum = 0)]
    pub likes_received: i64,
    #[schema(minimum = 0)]
    pub replies_received: i64,
    #[schema(minimum = 0)]
    pub new_followers: i64,
    #[schema(minimum = 0)]
    pub new_connections: i64,
    #[schema(minimum = 0)]
    pub messages_received: i64,
}

/// Times as RFC 3339 in UTC with milliseconds: `2004-01-16T14:56:01.001Z`. For `#[serde(with = …)]`.
pub mod rfc3339 {
    use chrono::{DateTime, SecondsFormat, Utc};
    use serde::Serializer;

    pub fn serialize<S: Serializer>(
        time: &DateTime<Utc>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&time.to_rfc3339_opts(SecondsFormat::Millis, true))
    }

    #[expect(clippy::ref_option, reason = "serde calls it so")]
    pub fn serialize_option<S: Serializer>(
        time: &Option<DateTime<Utc>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => self::serialize(time, serializer),
            None => serializer.serialize_none(),
        }
    }
}
