//! The events of a stream, as the API description shows them.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::items::List;
use crate::views::{Message, Notification, Post};

/// One server-sent event. `id` is opaque: sent as `Last-Event-ID`, it resumes the stream behind the event.
#[derive(ToSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
#[expect(dead_code, reason = "`live` sends the parts of an event as they come")]
pub enum StreamEvent {
    /// The first event, and whenever one of the counts changes.
    Unread { id: String, data: Unread },
    /// A post is new in the caller's feed: the caller or a followed account made it, or the caller began to follow an account that
    /// made it within the last day.
    Post { id: String, data: Post },
    /// A message in any of the caller's conversations, from any sender, the caller's other devices included.
    Message {
        id: String,
        data: StreamedMessage<'static>,
    },
    /// A notification is new in the caller's list.
    Notification { id: String, data: Notification },
    /// A post of the caller's feed has another text: the post as it is now. Of the newest posts of the feed.
    Edited { id: String, data: Post },
    /// Posts are no longer in the caller's feed: deleted, or no longer for the caller.
    Gone { id: String, data: Gone<'static> },
    /// More was new, edited or gone than a stream sends, or something was edited or gone while the client was away: read these lists anew. The stream continues with what comes after.
    Reset { id: String, data: Reset<'static> },
}

/// What the caller has not read yet.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Unread {
    pub conversations: UnreadMessages,
    pub notifications: UnreadNotifications,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct UnreadMessages {
    /// As in the list of conversations.
    #[schema(minimum = 0)]
    pub unread_total: i64,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct UnreadNotifications {
    /// As in the list of notifications.
    #[schema(minimum = 0)]
    pub unread_count: i64,
}

/// A message, with its conversation.
#[derive(Serialize, ToSchema)]
pub struct StreamedMessage<'a> {
    pub conversation_id: Uuid,
    #[serde(flatten)]
    pub message: &'a Message,
}

/// What the client must remove.
#[derive(Serialize, ToSchema)]
pub struct Gone<'a> {
    #[schema(max_items = 1_000)]
    pub posts: &'a [Uuid],
}

/// What the client has to read anew.
#[derive(Serialize, ToSchema)]
pub struct Reset<'a> {
    pub lists: &'a [List],
}
