//! Posts.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{AccountSummary, rfc3339};

/// An account that likes a post.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Like {
    #[serde(flatten)]
    pub account: AccountSummary,
    #[serde(with = "rfc3339")]
    pub liked_at: DateTime<Utc>,
}

/// A post or a reply, as the caller sees it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Post {
    pub id: Uuid,
    pub author: AccountSummary,
    #[schema(examples("Flour!"), max_length = 5_000)]
    pub text: String,
    /// The post that this one replies to. Stays when that post is deleted.
    #[schema(required = true)]
    pub reply_to: Option<Uuid>,
    #[serde(with = "rfc3339")]
    pub created_at: DateTime<Utc>,
    /// When the author last changed the text; `null` if never.
    #[serde(serialize_with = "rfc3339::serialize_option")]
    #[schema(required = true)]
    pub edited_at: Option<DateTime<Utc>>,
    #[schema(minimum = 0)]
    pub like_count: i64,
    /// Direct replies.
    #[schema(minimum = 0)]
    pub reply_count: i64,
    pub audience: Audience,
    /// The tags, ascending, if the audience is `tags`.
    #[schema(required = true)]
    pub tags: Option<Vec<Uuid>>,
    /// Whether the caller likes it.
    // Must stay the last field: `cache::PostFragment` replaces the end of the cached JSON. It is the only field that depends on the
    // viewer if the thread is not limited.
    pub liked_by_me: bool,
    /// The root post of the thread.
    #[serde(skip)]
    pub root: Uuid,
    /// The thread is not public, or was not once.
    #[serde(skip)]
    pub limited: bool,
}

/// The audience of a thread, as the caller sees it. For others than the author of its root post, `tags` and `me` are `limited`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    Public,
    Connections,
    Tags,
    Me,
    Limited,
}

impl Audience {
    /// From the number in a table.
    pub fn from_number(number: i16, is_author: bool) -> Self {
        match (number, is_author) {
            (0, _) => Self::Public,
            (1, _) => Self::Connections,
            (2, true) => Self::Tags,
            (_, true) => Self::Me,
            (_, false) => Self::Limited,
        }
    }
}

/// A post of the caller's feed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FeedPost {
    #[serde(flatten)]
    pub post: Post,
    /// Whether it is the caller's own, or at or before the caller's mark.
    pub read: bool,
}
