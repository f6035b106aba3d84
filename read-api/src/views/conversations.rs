//! Conversations and messages.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{AccountSummary, rfc3339};

/// A conversation of the caller.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Conversation {
    #[serde(flatten)]
    pub state: ConversationState,
    /// All members, the caller too, ordered by id.
    #[schema(min_items = 1, max_items = 100)]
    pub members: Vec<AccountSummary>,
}

/// A conversation of the caller, with its members' read marks.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ConversationWithMarks {
    #[serde(flatten)]
    pub state: ConversationState,
    /// All members, the caller too, ordered by id.
    #[schema(min_items = 1, max_items = 100)]
    pub members: Vec<Member>,
}

/// A conversation without its members.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ConversationState {
    pub id: Uuid,
    #[schema(required = true, max_length = 100)]
    pub title: Option<String>,
    /// Without those from before the caller was added.
    #[schema(minimum = 0)]
    pub message_count: i64,
    /// Messages of others after the caller's read mark.
    #[schema(minimum = 0)]
    pub unread_count: i64,
    /// Whether the caller has muted it: `unread_total` leaves it out.
    pub muted: bool,
    /// `null` if there is none for the caller.
    #[schema(required = true)]
    pub last_message: Option<Message>,
}

/// A member of a conversation.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Member {
    #[serde(flatten)]
    pub account: AccountSummary,
    /// The message up to which the member has read.
    #[schema(required = true)]
    pub read_up_to: Option<Uuid>,
}

/// A message of a conversation.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Message {
    pub id: Uuid,
    /// The account that sent it.
    pub sender_id: Uuid,
    #[schema(examples("How is the flour?"), max_length = 5_000)]
    pub text: String,
    #[serde(with = "rfc3339")]
    pub created_at: DateTime<Utc>,
}
