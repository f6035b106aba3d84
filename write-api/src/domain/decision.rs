//! What a command leads to: events and an outcome, or a rejection.

use std::fmt;

use chrono::{DateTime, Utc};
use feedmill_events::Event;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{account::Settings, audience::ShownAudience, connection::ConnectionState};

/// An accepted command.
#[derive(Debug)]
pub struct Decision {
    /// In order. Empty if the command changes nothing.
    pub events: Vec<Event>,
    pub outcome: Outcome,
    /// The password hash of the account that the command creates. It is stored beside the events and not in one,
    /// because every projection reads events.
    pub password_hash: Option<(Uuid, String)>,
}

impl Decision {
    pub(super) fn new(event: Event, outcome: Outcome) -> Self {
        Self::several(vec![event], outcome)
    }

    pub(super) fn several(events: Vec<Event>, outcome: Outcome) -> Self {
        Self {
            events,
            outcome,
            password_hash: None,
        }
    }

    /// An event, for a command whose answer has no body.
    pub(super) fn done(event: Event) -> Self {
        Self::new(event, Outcome::Done)
    }

    /// The state is already as the command wants it.
    pub(super) fn unchanged(outcome: Outcome) -> Self {
        Self::several(Vec::new(), outcome)
    }
}

/// The public name of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AccountSummary {
    pub id: Uuid,
    /// Unique among all accounts, without regard to case.
    #[schema(examples("miller"), max_length = 30)]
    pub handle: String,
    #[schema(examples("The Miller"), max_length = 100)]
    pub display_name: String,
}

/// The result of an accepted command. [`StoredOutcome`](super::StoredOutcome) is what is stored of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Account {
        account: AccountSummary,
        bio: String,
        settings: Settings,
    },
    Post {
        id: Uuid,
        author: AccountSummary,
        text: String,
        reply_to: Option<Uuid>,
        created_at: DateTime<Utc>,
        /// As its author sees it.
        audience: ShownAudience,
    },
    /// `created` is false if the two members already had a conversation.
    Conversation {
        id: Uuid,
        title: Option<String>,
        members: Vec<AccountSummary>,
        created: bool,
    },
    Message {
        id: Uuid,
        sender_id: Uuid,
        text: String,
        created_at: DateTime<Utc>,
    },
    Connection(ConnectionState),
    Tag {
        id: Uuid,
        name: String,
    },
    Done,
}

/// A kind of resource that a command can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    Account,
    Post,
    Conversation,
    Message,
    Tag,
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Account => "account",
            Self::Post => "post",
            Self::Conversation => "conversation",
            Self::Message => "message",
            Self::Tag => "tag",
        })
    }
}

/// Why a command was refused. A refused command changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("there is no such account")]
    UnknownActor,
    /// `field` is the field of the body that named the resource; None if the path did.
    #[error("there is no such {resource}")]
    NotFound {
        resource: Resource,
        field: Option<&'static str>,
    },
    #[error("only the author may do this")]
    NotYours,
    #[error("only a root post has an audience, and its replies have the same")]
    NotARootPost,
    #[error("the caller blocks the account")]
    Blocked,
    #[error("an account cannot block itself")]
    SelfBlock,
    #[error("the handle is taken")]
    HandleTaken,
    #[error("is reserved")]
    HandleReserved,
    #[error("an account cannot follow itself")]
    SelfFollow,
    #[error("an account cannot mute itself")]
    SelfMute,
    #[error("an account cannot connect with itself")]
    SelfConnection,
    #[error("the other account declined a connection request less than 30 days ago")]
    RequestDeclined,
    #[error("an account has at most {0} unanswered connection requests")]
    TooManyPendingRequests(u32),
    #[error("another tag of the account has this name")]
    TagExists,
    #[error("an account has at most {0} tags")]
    TooManyTags(u32),
    #[error("a tag has at most {0} members")]
    TooManyTagMembers(u32),
    #[error("only accounts that are connected with the caller can be members of a tag")]
    NotConnected,
    #[error("a conversation needs at least one other member")]
    NoOtherMember,
    #[error("a conversation has at most {0} members")]
    TooManyMembers(usize),
    #[error("the title and the members of a conversation of two never change")]
    ConversationOfTwo,
    #[error("a group has at most {0} members")]
    ConversationFull(usize),
    /// The same to both, so that it does not tell who blocks whom.
    #[error("the conversation is closed")]
    ConversationClosed,
    /// `field` is as for [`Rejection::NotFound`].
    #[error("the account accepts messages only from accounts that it is connected with")]
    MessagesNotAccepted { field: Option<&'static str> },
    /// An account that has left a conversation must not be brought back by strangers.
    #[error(
        "the account has left the group; only a member who is connected with it can add it again"
    )]
    LeftConversation,
    #[error("a member can leave, but cannot remove other members")]
    NotOneself,
    /// A read mark in the future would hide what does not exist yet.
    #[error("must not be in the future")]
    FutureMark,
}

impl Rejection {
    /// A resource that the path of the request names does not exist.
    pub(super) fn not_found(resource: Resource) -> Self {
        Self::NotFound {
            resource,
            field: None,
        }
    }

    /// A resource that a field of the body names does not exist.
    pub(super) fn field_not_found(resource: Resource, field: &'static str) -> Self {
        Self::NotFound {
            resource,
            field: Some(field),
        }
    }
}
