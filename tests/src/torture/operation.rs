//! An operation: a command as a request, and what became of it.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{client::PASSWORD, link::LinkKind};

/// Every text is unique in a run, so that the log tells which operation an event belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    CreateAccount {
        handle: String,
    },
    /// Changes one field of the profile, or one setting.
    ChangeProfile {
        field: &'static str,
        value: String,
    },
    Post {
        text: String,
        reply_to: Option<Uuid>,
        /// None for a reply, and for the account's default one.
        audience: Option<&'static str>,
    },
    ChangeAudience {
        post: Uuid,
        audience: &'static str,
    },
    EditPost {
        post: Uuid,
        text: String,
    },
    DeletePost {
        post: Uuid,
    },
    /// Makes a link, or undoes it.
    Link {
        kind: LinkKind,
        to: Uuid,
        make: bool,
    },
    /// Asks for a connection or accepts one; or else ends, withdraws or declines.
    Connection {
        other: Uuid,
        connect: bool,
    },
    /// Blocks an account, or unblocks it.
    Block {
        other: Uuid,
        block: bool,
    },
    MarkFeedRead {
        up_to: Uuid,
    },
    CreateConversation {
        with: Vec<Uuid>,
        title: Option<String>,
    },
    SendMessage {
        conversation: Uuid,
        text: String,
    },
    MarkRead {
        conversation: Uuid,
        up_to: Uuid,
    },
    DeleteMessage {
        conversation: Uuid,
        message: Uuid,
    },
    SetMuted {
        conversation: Uuid,
        muted: bool,
    },
    AddMember {
        conversation: Uuid,
        account: Uuid,
    },
    Leave {
        conversation: Uuid,
        account: Uuid,
    },
    /// With a title, so that it changes something whatever others do at the same time.
    Rename {
        conversation: Uuid,
        title: String,
    },
    MarkNotificationsRead {
        up_to: Uuid,
    },
}

impl Operation {
    pub fn request(&self) -> (Method, String, Option<Value>) {
        match self {
            Self::CreateAccount { handle } => (
                Method::POST,
                "/v1/accounts".to_owned(),
                Some(json!({"handle": handle, "display_name": handle, "password": PASSWORD})),
            ),
            Self::ChangeProfile { field, value } => (
                Method::PATCH,
                "/v1/me".to_owned(),
                Some(json!({ *field: value })),
            ),
            Self::Post {
                text,
                reply_to,
                audience,
            } => {
                let mut body = json!({"text": text});
                if let Some(audience) = audience {
                    body["audience"] = json!(audience);
                }
                if let Some(parent) = reply_to {
                    body["reply_to"] = json!(parent);
                }
                (Method::POST, "/v1/posts".to_owned(), Some(body))
            }
            Self::ChangeAudience { post, audience } => (
                Method::PUT,
                format!("/v1/posts/{post}/audience"),
                Some(json!({"audience": audience})),
            ),
            Self::EditPost { post, text } => (
                Method::PATCH,
                format!("/v1/posts/{post}"),
                Some(json!({"text": text})),
            ),
            Self::DeletePost { post } => (Method::DELETE, format!("/v1/posts/{post}"), None),
            Self::Link { kind, to, make } => {
                let method = if *make { Method::PUT } else { Method::DELETE };
                (method, kind.path(*to), None)
            }
            Self::Connection { other, connect } => {
                let method = if *connect {
                    Method::PUT
                } else {
                    Method::DELETE
                };
                (method, format!("/v1/users/{other}/connection"), None)
            }
            Self::Block { other, block } => {
                let method = if *block { Method::PUT } else { Method::DELETE };
                (method, format!("/v1/users/{other}/block"), None)
            }
            Self::MarkFeedRead { up_to } => (
                Method::PUT,
                "/v1/feed/read".to_owned(),
                Some(json!({"up_to": up_to})),
            ),
            Self::CreateConversation { with, title } => {
                let mut body = json!({"members": with});
                if let Some(title) = title {
                    body["title"] = json!(title);
                }
                (Method::POST, "/v1/conversations".to_owned(), Some(body))
            }
            Self::SendMessage { conversation, text } => (
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
            Self::DeleteMessage {
                conversation,
                message,
            } => {
                let path = format!("/v1/conversations/{conversation}/messages/{message}");
                (Method::DELETE, path, None)
            }
            Self::SetMuted {
                conversation,
                muted,
            } => {
                let method = if *muted { Method::PUT } else { Method::DELETE };
                let path = format!("/v1/conversations/{conversation}/mute");
                (method, path, None)
            }
            Self::AddMember {
                conversation,
                account,
            } => {
                let path = format!("/v1/conversations/{conversation}/members/{account}");
                (Method::PUT, path, None)
            }
            Self::Leave {
                conversation,
                account,
            } => {
                let path = format!("/v1/conversations/{conversation}/members/{account}");
                (Method::DELETE, path, None)
            }
            Self::Rename {
                conversation,
                title,
            } => (
                Method::PATCH,
                format!("/v1/conversations/{conversation}"),
                Some(json!({"title": title})),
            ),
            Self::MarkNotificationsRead { up_to } => (
                Method::PUT,
                "/v1/notifications/read".to_owned(),
                Some(json!({"up_to": up_to})),
            ),
        }
    }
}

/// What became of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// With the id in the answer, and whether something was created (201).
    Acknowledged { id: Option<Uuid>, created: bool },
    /// `in_doubt` if the outcome of an earlier attempt is unknown: only the last one was surely refused.
    Refused { status: u16, in_doubt: bool },
    /// No definite answer, even after the end of the faults.
    Unanswered,
}

/// An operation of an account, and its outcome.
#[derive(Debug, Clone)]
pub struct HistoryEntry {
    pub account: Uuid,
    pub operation: Operation,
    pub outcome: Outcome,
}
