//! The event types.
//!
//! One module per version: a stored struct never changes. A change is a new struct in the module of the next
//! version, with a conversion (`From`) from the old one, which decoding applies.

pub mod v1;
pub mod v2;

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::{
    codec::{DecodeError, from_postcard},
    id::Partition,
};

/// The table of events. A row is
/// `Variant(newest struct): "type name", version, partition of its FIELD, [older versions to upcast from];`
macro_rules! events {
    ($(
        $variant:ident($newest:ty): $name:literal, $version:literal, $key:ident, [$($old:literal => $older:ty),*];
    )+) => {
        /// An event in the newest version of its type.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Event {
            $($variant($newest),)+
        }

        /// The type of an event.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum EventType {
            $($variant,)+
        }

        impl EventType {
            /// Every type, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name in the log, in message headers and on the command line.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// The version that is written today.
            pub fn version(self) -> u16 {
                match self {
                    $(Self::$variant => $version,)+
                }
            }
        }

        impl Event {
            pub fn event_type(&self) -> EventType {
                match self {
                    $(Self::$variant(_) => EventType::$variant,)+
                }
            }

            /// The id of the account, thread or conversation that the event is about.
            fn subject_id(&self) -> Uuid {
                match self {
                    $(Self::$variant(event) => event.$key,)+
                }
            }

            /// The payload in postcard.
            pub(crate) fn encode(&self) -> Result<Vec<u8>, postcard::Error> {
                match self {
                    $(Self::$variant(event) => postcard::to_stdvec(event),)+
                }
            }

            /// Decodes a payload of any version that was ever written, upcast to the newest. Postcard does not
            /// describe itself, so name and version select the struct, and a trailing byte means that they are
            /// wrong.
            pub(crate) fn decode(name: &str, version: u16, payload: &[u8]) -> Result<Self, DecodeError> {
                Ok(match (name, version) {
                    $(
                        ($name, $version) => Self::$variant(from_postcard(payload)?),
                        $(($name, $old) => Self::$variant(from_postcard::<$older>(payload)?.into()),)*
                    )+
                    _ => {
                        return Err(DecodeError::Unknown {
                            name: name.chars().take(64).collect(),
                            version,
                        });
                    }
                })
            }
        }

        /// The JSON schema of the payload of each version of each type that was ever written, with the type's name and the
        /// version.
        #[cfg(feature = "schema")]
        pub fn schemas() -> Vec<(&'static str, u16, schemars::Schema)> {
            vec![$(
                $(($name, $old, schemars::schema_for!($older)),)*
                ($name, $version, schemars::schema_for!($newest)),
            )+]
        }

        /// The payload without its type and version.
        impl Serialize for Event {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $(Self::$variant(event) => event.serialize(serializer),)+
                }
            }
        }
    };
}

events! {
    AccountCreated(v1::AccountCreated): "account.created", 1, account, [];
    ProfileChanged(v1::ProfileChanged): "account.profile_changed", 1, account, [];
    SettingsChanged(v1::SettingsChanged): "account.settings_changed", 1, account, [];
    AccountFollowed(v1::AccountFollowed): "account.followed", 1, followee, [];
    AccountUnfollowed(v1::AccountUnfollowed): "account.unfollowed", 1, followee, [];
    PostCreated(v2::PostCreated): "post.created", 2, post, [1 => v1::PostCreated];
    PostEdited(v1::PostEdited): "post.edited", 1, post, [];
    AudienceChanged(v1::AudienceChanged): "post.audience_changed", 1, post, [];
    PostDeleted(v1::PostDeleted): "post.deleted", 1, post, [];
    PostLiked(v1::PostLiked): "post.liked", 1, post, [];
    PostUnliked(v1::PostUnliked): "post.unliked", 1, post, [];
    PostBookmarked(v1::PostBookmarked): "post.bookmarked", 1, post, [];
    PostUnbookmarked(v1::PostUnbookmarked): "post.unbookmarked", 1, post, [];
    ConversationCreated(v2::ConversationCreated): "conversation.created", 2, conversation,
        [1 => v1::ConversationCreated];
    MessageSent(v1::MessageSent): "conversation.message_sent", 1, conversation, [];
    MessageDeleted(v1::MessageDeleted): "conversation.message_deleted", 1, conversation, [];
    ConversationRead(v1::ConversationRead): "conversation.read", 1, conversation, [];
    FeedRead(v1::FeedRead): "feed.read", 1, user, [];
    ConversationMuted(v1::ConversationMuted): "conversation.muted", 1, conversation, [];
    ConversationUnmuted(v1::ConversationUnmuted): "conversation.unmuted", 1, conversation, [];
    ConversationRenamed(v1::ConversationRenamed): "conversation.renamed", 1, conversation, [];
    MemberAdded(v1::MemberAdded): "conversation.member_added", 1, conversation, [];
    MemberLeft(v1::MemberLeft): "conversation.member_left", 1, conversation, [];
    NotificationsRead(v1::NotificationsRead): "notifications.read", 1, user, [];
    ConnectionRequested(v1::ConnectionRequested): "connection.requested", 1, to, [];
    ConnectionRequestEnded(v1::ConnectionRequestEnded): "connection.request_ended", 1, to, [];
    ConnectionMade(v1::ConnectionMade): "connection.made", 1, account, [];
    ConnectionEnded(v1::ConnectionEnded): "connection.ended", 1, account, [];
    AccountMuted(v1::AccountMuted): "account.muted", 1, muted, [];
    AccountUnmuted(v1::AccountUnmuted): "account.unmuted", 1, muted, [];
    AccountBlocked(v1::AccountBlocked): "account.blocked", 1, account, [];
    AccountUnblocked(v1::AccountUnblocked): "account.unblocked", 1, account, [];
    TagCreated(v1::TagCreated): "tag.created", 1, owner, [];
    TagRenamed(v1::TagRenamed): "tag.renamed", 1, owner, [];
    TagDeleted(v1::TagDeleted): "tag.deleted", 1, owner, [];
    TagMemberAdded(v1::TagMemberAdded): "tag.member_added", 1, owner, [];
    TagMemberRemoved(v1::TagMemberRemoved): "tag.member_removed", 1, owner, [];
}

impl Event {
    /// The partition of the account, thread or conversation that the event is about.
    pub fn partition(&self) -> Partition {
        Partition::of(self.subject_id())
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown event type {0:?}; known are {known}", known = EventType::ALL.iter().map(|t| t.name()).collect::<Vec<_>>().join(", "))]
pub struct UnknownEventType(String);

impl FromStr for EventType {
    type Err = UnknownEventType;

    fn from_str(name: &str) -> Result<Self, UnknownEventType> {
        let mut all = Self::ALL.iter().copied();
        all.find(|event_type| event_type.name() == name)
            .ok_or_else(|| UnknownEventType(name.to_owned()))
    }
}
