//! The same responses as read-api's.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};
use sqlx::FromRow;
use uuid::Uuid;

#[derive(Serialize, FromRow)]
pub struct AccountSummary {
    pub id: Uuid,
    pub handle: String,
    pub display_name: String,
}

#[derive(Serialize)]
pub struct Post {
    pub id: Uuid,
    pub author: AccountSummary,
    pub text: String,
    pub reply_to: Option<Uuid>,
    #[serde(serialize_with = "time")]
    pub created_at: DateTime<Utc>,
    /// Posts of this backend cannot be edited.
    pub edited_at: Option<DateTime<Utc>>,
    pub like_count: i64,
    pub reply_count: i64,
    pub audience: &'static str,
    pub tags: Option<Vec<Uuid>>,
    pub liked_by_me: bool,
}

#[derive(Serialize)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next_cursor: Option<String>,
}

#[derive(Serialize)]
pub struct Conversation {
    pub id: Uuid,
    pub title: Option<String>,
    pub members: Vec<AccountSummary>,
    pub message_count: i64,
    pub unread_count: i64,
    pub muted: bool,
    pub last_message: Option<Message>,
}

#[derive(Serialize, FromRow)]
pub struct Message {
    pub id: Uuid,
    pub sender_id: Uuid,
    pub text: String,
    #[serde(serialize_with = "time")]
    pub created_at: DateTime<Utc>,
}

#[derive(Serialize)]
pub struct Inbox {
    #[serde(flatten)]
    pub page: Page<Conversation>,
    pub unread_total: i64,
}

#[derive(Serialize)]
pub struct Digest {
    pub period: &'static str,
    #[serde(serialize_with = "time")]
    pub from: DateTime<Utc>,
    #[serde(serialize_with = "time")]
    pub to: DateTime<Utc>,
    pub counters: Counters,
    pub top_posts: Vec<Post>,
}

#[derive(Serialize)]
pub struct Counters {
    pub posts: i64,
    pub likes_received: i64,
    pub replies_received: i64,
    pub new_followers: i64,
    pub new_connections: i64,
    pub messages_received: i64,
}

pub fn time<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&time.to_rfc3339_opts(SecondsFormat::Millis, true))
}
