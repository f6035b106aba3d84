//! Conversations and messages.

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::{Card, Page};

#[derive(Debug, Clone, Serialize)]
pub struct Conversation {
    pub id: Uuid,
    pub title: Option<String>,
    /// Everyone in it, by id.
    pub members: Vec<Card>,
    pub message_count: i64,
    /// Messages by others after the viewer's read mark.
    pub unread_count: i64,
    pub last_message: Option<Message>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Message {
    pub id: Uuid,
    pub sender_id: Uuid,
    pub text: String,
    #[serde(with = "super::time")]
    pub created_at: DateTime<Utc>,
}

/// A page of conversations, with the unread messages of all of them, also of those on other pages.
#[derive(Debug, Clone, Serialize)]
pub struct Inbox {
    #[serde(flatten)]
    pub page: Page<Conversation>,
    pub unread_total: i64,
}
