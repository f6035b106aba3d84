//! Notifications.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::{
    ToSchema,
    openapi::{Object, ObjectBuilder, Type},
};
use uuid::Uuid;

use super::{AccountSummary, rfc3339};

/// What somebody else did with the caller or the caller's posts.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Notification {
    pub id: Uuid,
    #[serde(flatten)]
    pub act: NotifiedAct,
    /// Who did it.
    pub actor: AccountSummary,
    #[serde(with = "rfc3339")]
    pub created_at: DateTime<Utc>,
    /// Whether it is at or before the caller's mark.
    pub read: bool,
}

/// What was done.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum NotifiedAct {
    /// The actor followed the caller.
    Follow {
        #[schema(schema_with = null)]
        post: (),
    },
    /// The actor asks the caller for a connection.
    ConnectionRequest {
        #[schema(schema_with = null)]
        post: (),
    },
    /// The actor has accepted the caller's request for a connection.
    Connection {
        #[schema(schema_with = null)]
        post: (),
    },
    /// The actor likes this post of the caller.
    Like { post: NotificationPost },
    /// The actor replied to a post of the caller, with this one.
    Reply { post: NotificationPost },
}

fn null() -> Object {
    ObjectBuilder::new().schema_type(Type::Null).build()
}

impl NotifiedAct {
    /// The liked post, or the reply. None for what is not about a post.
    pub fn post(&self) -> Option<&NotificationPost> {
        match self {
            Self::Follow { post: () }
            | Self::ConnectionRequest { post: () }
            | Self::Connection { post: () } => None,
            Self::Like { post } | Self::Reply { post } => Some(post),
        }
    }
}

/// The post of a notification.
// The text is empty until the post is projected, like the names of an `AccountSummary`.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct NotificationPost {
    pub id: Uuid,
    #[schema(max_length = 5_000)]
    pub text: String,
    /// The post that it replies to.
    #[schema(required = true)]
    pub reply_to: Option<Uuid>,
}
