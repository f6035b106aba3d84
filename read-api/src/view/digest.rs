//! The digest of a day or a week.

use chrono::{DateTime, Utc};
use serde::Serialize;

#[derive(Debug, Clone, Serialize)]
pub struct Digest<P> {
    /// `day` or `week`.
    pub period: &'static str,
    #[serde(with = "super::time")]
    pub from: DateTime<Utc>,
    /// Not part of the period any more.
    #[serde(with = "super::time")]
    pub to: DateTime<Utc>,
    pub counters: Counters,
    pub top_posts: Vec<P>,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct Counters {
    /// Posts of the viewer's feed.
    pub posts: i64,
    pub likes_received: i64,
    pub replies_received: i64,
    pub new_followers: i64,
    pub messages_received: i64,
}
