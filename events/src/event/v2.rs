//! Version 2 of those events that have one, and how version 1 becomes it. Frozen, as version 1 is.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::v1;

/// Since this version the event says who started the conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationCreated {
    pub conversation: Uuid,
    /// Everyone in it, its maker included, each once.
    pub members: Vec<Uuid>,
    pub title: Option<String>,
    /// None where nobody knows: in version 1, and for a conversation that was imported.
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
