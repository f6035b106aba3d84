//! Version 2 of event types that have one, with the conversion from version 1. Frozen like version 1.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::v1;

/// New in this version: the creator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ConversationCreated {
    pub conversation: Uuid,
    /// All members including the creator, each once.
    pub members: Vec<Uuid>,
    pub title: Option<String>,
    /// None if unknown: in version 1, and for an imported conversation.
    pub creator: Option<Uuid>,
}

impl From<v1::ConversationCreated> for ConversationCreated {
    fn from(
        v1::ConversationCreated {
            conversation,
            members,
            title,
        }: v1::ConversationCreated,
    ) -> Self {
        Self {
            conversation,
            members,
            title,
            creator: None,
        }
    }
}

/// New in this version: the audience, and the author of the thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PostCreated {
    pub post: Uuid,
    pub author: Uuid,
    /// None for a root post.
    pub reply_to: Option<v1::Parent>,
    pub text: String,
    /// The author of the root post of the thread; None if unknown: in version 1, for a reply.
    pub root_author: Option<Uuid>,
    /// None for a reply, which has the audience of its thread.
    pub audience: Option<v1::Audience>,
}

impl From<v1::PostCreated> for PostCreated {
    fn from(
        v1::PostCreated {
            post,
            author,
            reply_to,
            text,
        }: v1::PostCreated,
    ) -> Self {
        let is_root = reply_to.is_none();
        Self {
            post,
            author,
            reply_to,
            text,
            root_author: is_root.then_some(author),
            audience: is_root.then_some(v1::Audience::Public),
        }
    }
}
