//! Notifications.

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::{Card, Page};

#[derive(Debug, Clone, Serialize)]
pub struct Notification {
    pub id: Uuid,
    #[serde(rename = "type")]
    pub kind: NotificationKind,
    /// Who did it.
    pub actor: Card,
    /// The post that was liked, or the reply. None for a follow.
    pub post: Option<NotificationPost>,
    #[serde(with = "super::time")]
    pub created_at: DateTime<Utc>,
    pub read: bool,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NotificationKind {
    Follow,
    Like,
    Reply,
}

/// A post in passing. For the moment in which one projection is ahead of another its text is empty, as the
/// names of a [`Card`] are.
#[derive(Debug, Clone, Serialize)]
pub struct NotificationPost {
    pub id: Uuid,
    pub text: String,
    pub reply_to: Option<Uuid>,
}

/// A page of notifications, with how many of all of them are not read, also of those on other pages.
#[derive(Debug, Clone, Serialize)]
pub struct Notifications {
    #[serde(flatten)]
    pub page: Page<Notification>,
    pub unread_count: i64,
}
