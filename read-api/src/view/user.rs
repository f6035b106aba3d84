//! People.

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

/// A person in passing. An account whose own events are not projected yet, though somebody else's that name
/// it already are, has an empty handle and name for that moment: nothing is left out because of it.
#[derive(Debug, Clone, Serialize)]
pub struct Card {
    pub id: Uuid,
    pub handle: String,
    pub display_name: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct Profile {
    #[serde(flatten)]
    pub card: Card,
    pub bio: String,
    #[serde(with = "super::time")]
    pub created_at: DateTime<Utc>,
    pub followers_count: i64,
    pub following_count: i64,
    /// Replies included.
    pub posts_count: i64,
}

/// A follower, or somebody followed.
#[derive(Debug, Clone, Serialize)]
pub struct Follow {
    #[serde(flatten)]
    pub card: Card,
    #[serde(with = "super::time")]
    pub followed_at: DateTime<Utc>,
}
