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
