//! The JSON objects that more than one part of the crate reads or sends.
//!
//! An object that exactly one endpoint wraps around these stands with that endpoint, in `endpoints`.

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

/// One page of a list.
#[derive(Debug, Clone, Serialize)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// None on the last page.
    pub next_cursor: Option<String>,
    /// For what precedes the page; None if there is nothing that it could precede.
    pub prev_cursor: Option<String>,
}

impl<T> Page<T> {
    pub fn map<U>(self, map: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(map).collect(),
            next_cursor: self.next_cursor,
            prev_cursor: self.prev_cursor,
        }
    }
}

/// The public name of an account.
///
/// Projections advance independently. An account whose own events are not projected yet, but which others already
/// refer to, has an empty handle and display name until they are.
#[derive(Debug, Clone, Serialize)]
pub struct AccountSummary {
    pub id: Uuid,
    pub handle: String,
    pub display_name: String,
}

impl AccountSummary {
    /// From columns that are NULL while the account is not projected.
    pub fn from_columns(id: Uuid, handle: Option<String>, display_name: Option<String>) -> Self {
        Self {
            id,
            handle: handle.unwrap_or_default(),
            display_name: display_name.unwrap_or_default(),
        }
    }

    pub fn is_projected(&self) -> bool {
        !self.handle.is_empty()
    }
}

#[derive(Debug, Clone, Serialize)]
pub struct Profile {
    #[serde(flatten)]
    pub account: AccountSummary,
    pub bio: String,
    #[serde(with = "rfc3339")]
    pub created_at: DateTime<Utc>,
    pub followers_count: i64,
    pub following_count: i64,
    /// Includes replies.
    pub posts_count: i64,
}

/// An item of a list of followers or of followed accounts.
#[derive(Debug, Clone, Serialize)]
pub struct Follow {
    #[serde(flatten)]
    pub account: AccountSummary,
    #[serde(with = "rfc3339")]
    pub followed_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Post {
    pub id: Uuid,
    pub author: AccountSummary,
    pub text: String,
    /// The post that this one answers. Stays when that post is deleted.
    pub reply_to: Option<Uuid>,
    #[serde(with = "rfc3339")]
    pub created_at: DateTime<Utc>,
    pub like_count: i64,
    /// Direct replies.
    pub reply_count: i64,
    /// The only field that depends on the viewer. Must stay the last one: `cache::PostFragment` replaces the end of the
    /// cached JSON.
    pub liked_by_me: bool,
}

/// A conversation with members of type `M`: in a list, their names; alone, [`Member`]s.
#[derive(Debug, Clone, Serialize)]
pub struct Conversation<M> {
    pub id: Uuid,
    pub title: Option<String>,
    /// All members, ordered by id.
    pub members: Vec<M>,
    pub message_count: i64,
    /// Messages by others after the viewer's read mark.
    pub unread_count: i64,
    pub last_message: Option<Message>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Member {
    #[serde(flatten)]
    pub account: AccountSummary,
    /// The message up to which the member has read.
    pub read_up_to: Option<Uuid>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Message {
    pub id: Uuid,
    pub sender_id: Uuid,
    pub text: String,
    #[serde(with = "rfc3339")]
    pub created_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Notification {
    pub id: Uuid,
    #[serde(rename = "type")]
    pub kind: NotificationKind,
    pub actor: AccountSummary,
    /// The liked post, or the reply. None for a follow.
    pub post: Option<NotificationPost>,
    #[serde(with = "rfc3339")]
    pub created_at: DateTime<Utc>,
    pub read: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NotificationKind {
    Follow,
    Like,
    Reply,
}

/// The text is empty until the post is projected, like the names of an [`AccountSummary`].
#[derive(Debug, Clone, Serialize)]
pub struct NotificationPost {
    pub id: Uuid,
    pub text: String,
    pub reply_to: Option<Uuid>,
}

/// The counters of a digest.
#[derive(Debug, Clone, Default, Serialize)]
pub struct DigestCounters {
    /// Posts of the viewer's feed in the period.
    pub posts: i64,
    pub likes_received: i64,
    pub replies_received: i64,
    pub new_followers: i64,
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
}
