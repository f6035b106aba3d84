//! One command: as a request, and as what the log must show for it.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

/// Every text in it is said once in a run, so that the log tells whose wish an event was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    Account {
        handle: String,
    },
    /// A field of the profile.
    Profile {
        field: &'static str,
        value: String,
    },
    Post {
        text: String,
        reply_to: Option<Uuid>,
    },
    Delete {
        post: Uuid,
    },
    Like {
        post: Uuid,
        liked: bool,
    },
    Follow {
        whom: Uuid,
        follows: bool,
    },
    Conversation {
        with: Vec<Uuid>,
        title: Option<String>,
    },
    Message {
        conversation: Uuid,
        text: String,
    },
    MarkRead {
        conversation: Uuid,
        up_to: Uuid,
    },
    MarkNotifications {
        up_to: Uuid,
    },
}

impl Wish {
    pub fn request(&self) -> (Method, String, Option<Value>) {
        let put = |put: bool| if put { Method::PUT } else { Method::DELETE };
        match self {
            Self::Account { handle } => {
                let body = json!({"handle": handle, "display_name": handle, "password": "correct horse battery"});
                (Method::POST, "/v1/accounts".to_owned(), Some(body))
            }
            Self::Profile { field, value } => (
                Method::PATCH,
                "/v1/me".to_owned(),
                Some(json!({ *field: value })),
            ),
            Self::Post { text, reply_to } => {
                let mut body = json!({"text": text});
                if let Some(parent) = reply_to {
                    body["reply_to"] = json!(parent);
                }
                (Method::POST, "/v1/posts".to_owned(), Some(body))
            }
            Self::Delete { post } => (Method::DELETE, format!("/v1/posts/{post}"), None),
            Self::Like { post, liked } => (put(*liked), format!("/v1/posts/{post}/like"), None),
            Self::Follow { whom, follows } => {
                (put(*follows), format!("/v1/users/{whom}/follow"), None)
            }
            Self::Conversation { with, title } => {
                let mut body = json!({"members": with});
                if let Some(title) = title {
                    body["title"] = json!(title);
                }
                (Method::POST, "/v1/conversations".to_owned(), Some(body))
            }
            Self::Message { conversation, text } => (
                Method::POST,
                format!("/v1/conversations/{conversation}/messages"),
                Some(json!({"text": text})),
            ),
            Self::MarkRead {
                conversation,
                up_to,
            } => (
                Method::PUT,
                format!("/v1/conversations/{conversation}/read"),
                Some(json!({"up_to": up_to})),
            ),
            Self::MarkNotifications { up_to } => (
                Method::PUT,
                "/v1/notifications/read".to_owned(),
                Some(json!({"up_to": up_to})),
            ),
        }
    }
}

/// What became of a wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// With the id of what was made, and whether it was made (201).
    Acknowledged { id: Option<Uuid>, made: bool },
    /// After an attempt whose outcome is not known, only the last attempt was surely refused.
    Refused { status: u16, in_doubt: bool },
    /// No definite answer, even after all was healed.
    Unanswered,
}

/// A wish of an account and its outcome.
#[derive(Debug, Clone)]
pub struct Entry {
    pub who: Uuid,
    pub wish: Wish,
    pub outcome: Outcome,
}
