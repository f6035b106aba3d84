//! The event types. One module a version: a struct that was ever stored never changes; what must change
//! becomes a struct in the next version's module, and [`Event::decode`] upcasts the old one.

pub mod v1;
pub mod v2;

use serde::{Serialize, Serializer, de::DeserializeOwned};
use uuid::Uuid;

use crate::{DecodeError, Partition};

/// An event as the code of today sees it: always the newest version of its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    AccountCreated(v1::AccountCreated),
    ProfileChanged(v1::ProfileChanged),
    AccountFollowed(v1::AccountFollowed),
    AccountUnfollowed(v1::AccountUnfollowed),
    PostCreated(v1::PostCreated),
    PostDeleted(v1::PostDeleted),
    PostLiked(v1::PostLiked),
    PostUnliked(v1::PostUnliked),
    ConversationCreated(v2::ConversationCreated),
    MessageSent(v1::MessageSent),
    ConversationRead(v1::ConversationRead),
    NotificationsRead(v1::NotificationsRead),
}

/// The names of all types, as they stand in the log, in headers and in what an operator types.
pub const TYPES: [&str; 12] = [
    "account.created",
    "account.profile_changed",
    "account.followed",
    "account.unfollowed",
    "post.created",
    "post.deleted",
    "post.liked",
    "post.unliked",
    "conversation.created",
    "conversation.message_sent",
    "conversation.read",
    "notifications.read",
];

impl Event {
    /// The type's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::AccountCreated(_) => TYPES[0],
            Self::ProfileChanged(_) => TYPES[1],
            Self::AccountFollowed(_) => TYPES[2],
            Self::AccountUnfollowed(_) => TYPES[3],
            Self::PostCreated(_) => TYPES[4],
            Self::PostDeleted(_) => TYPES[5],
            Self::PostLiked(_) => TYPES[6],
            Self::PostUnliked(_) => TYPES[7],
            Self::ConversationCreated(_) => TYPES[8],
            Self::MessageSent(_) => TYPES[9],
            Self::ConversationRead(_) => TYPES[10],
            Self::NotificationsRead(_) => TYPES[11],
        }
    }

    /// The version that is written today.
    pub fn version(&self) -> u16 {
        match self {
            Self::ConversationCreated(_) => 2,
            _ => 1,
        }
    }

    /// Where the event belongs: with the account, the thread or the conversation that it is about.
    pub fn partition(&self) -> Partition {
        Partition::of(self.subject_id())
    }

    fn subject_id(&self) -> Uuid {
        match self {
            Self::AccountCreated(e) => e.account,
            Self::ProfileChanged(e) => e.account,
            Self::AccountFollowed(e) => e.followee,
            Self::AccountUnfollowed(e) => e.followee,
            Self::PostCreated(e) => e.post,
            Self::PostDeleted(e) => e.post,
            Self::PostLiked(e) => e.post,
            Self::PostUnliked(e) => e.post,
            Self::ConversationCreated(e) => e.conversation,
            Self::MessageSent(e) => e.conversation,
            Self::ConversationRead(e) => e.conversation,
            Self::NotificationsRead(e) => e.user,
        }
    }

    /// The payload in postcard.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, postcard::Error> {
        postcard::to_stdvec(self)
    }

    /// Reads a payload of any version that was ever written, upcast to today's. Postcard does not describe
    /// itself, so type and version decide, and a byte left over means that they lied.
    pub(crate) fn decode(name: &str, version: u16, payload: &[u8]) -> Result<Self, DecodeError> {
        fn read<T: DeserializeOwned>(payload: &[u8]) -> Result<T, DecodeError> {
            match postcard::take_from_bytes(payload) {
                Ok((value, [])) => Ok(value),
                Ok((_, rest)) => Err(DecodeError::Trailing(rest.len())),
                Err(error) => Err(DecodeError::Payload(error)),
            }
        }
        Ok(match (name, version) {
            ("account.created", 1) => Self::AccountCreated(read(payload)?),
            ("account.profile_changed", 1) => Self::ProfileChanged(read(payload)?),
            ("account.followed", 1) => Self::AccountFollowed(read(payload)?),
            ("account.unfollowed", 1) => Self::AccountUnfollowed(read(payload)?),
            ("post.created", 1) => Self::PostCreated(read(payload)?),
            ("post.deleted", 1) => Self::PostDeleted(read(payload)?),
            ("post.liked", 1) => Self::PostLiked(read(payload)?),
            ("post.unliked", 1) => Self::PostUnliked(read(payload)?),
            ("conversation.created", 1) => {
                Self::ConversationCreated(read::<v1::ConversationCreated>(payload)?.into())
            }
            ("conversation.created", 2) => Self::ConversationCreated(read(payload)?),
            ("conversation.message_sent", 1) => Self::MessageSent(read(payload)?),
            ("conversation.read", 1) => Self::ConversationRead(read(payload)?),
            ("notifications.read", 1) => Self::NotificationsRead(read(payload)?),
            _ => {
                return Err(DecodeError::Unknown {
                    name: name.chars().take(64).collect(),
                    version,
                });
            }
        })
    }
}

/// The payload alone: what it is called stands beside it, in the log as in what an operator is shown.
impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::AccountCreated(e) => e.serialize(serializer),
            Self::ProfileChanged(e) => e.serialize(serializer),
            Self::AccountFollowed(e) => e.serialize(serializer),
            Self::AccountUnfollowed(e) => e.serialize(serializer),
            Self::PostCreated(e) => e.serialize(serializer),
            Self::PostDeleted(e) => e.serialize(serializer),
            Self::PostLiked(e) => e.serialize(serializer),
            Self::PostUnliked(e) => e.serialize(serializer),
            Self::ConversationCreated(e) => e.serialize(serializer),
            Self::MessageSent(e) => e.serialize(serializer),
            Self::ConversationRead(e) => e.serialize(serializer),
            Self::NotificationsRead(e) => e.serialize(serializer),
        }
    }
}
