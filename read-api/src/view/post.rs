//! Posts.

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::Card;

#[derive(Debug, Clone, Serialize)]
pub struct Post {
    pub id: Uuid,
    pub author: Card,
    pub text: String,
    /// The post that this one answers, also when that one is deleted.
    pub reply_to: Option<Uuid>,
    #[serde(with = "super::time")]
    pub created_at: DateTime<Utc>,
    pub like_count: i64,
    /// Direct replies.
    pub reply_count: i64,
    /// By whoever asks. The last one: what is before it is the same for everybody (`crate::posts`).
    pub liked_by_me: bool,
}
