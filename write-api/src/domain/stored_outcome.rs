//! What is stored of an outcome under an idempotency key: ids, and no text that anybody wrote. The rest of the answer is in the
//! repeated request, which is the same, and in the present state.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{audience::ShownAudience, connection::ConnectionState, decision::Outcome};

/// Stored as JSON, so older and newer versions of write-api must be able to read it: names of variants and fields stay as they
/// are. Earlier versions stored more fields, which are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum StoredOutcome {
    Account {
        card: StoredAccount,
    },
    Post {
        id: Uuid,
        /// Earlier versions had public threads only, and did not store it.
        #[serde(default)]
        audience: ShownAudience,
    },
    /// Without `created`, of two members who already had it.
    Conversation {
        id: Uuid,
        created: bool,
    },
    Message {
        id: Uuid,
    },
    Tag {
        id: Uuid,
    },
    Connection {
        state: ConnectionState,
    },
    Done,
    /// The command changed nothing.
    Unchanged,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredAccount {
    pub id: Uuid,
}

impl From<&Outcome> for StoredOutcome {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Account { account, .. } => Self::Account {
                card: StoredAccount { id: account.id },
            },
            Outcome::Post { id, audience, .. } => Self::Post {
                id: *id,
                audience: audience.clone(),
            },
            Outcome::Conversation { id, created, .. } => Self::Conversation {
                id: *id,
                created: *created,
            },
            Outcome::Message { id, .. } => Self::Message { id: *id },
            Outcome::Tag { id, .. } => Self::Tag { id: *id },
            Outcome::Connection(state) => Self::Connection { state: *state },
            Outcome::Done => Self::Done,
        }
    }
}

impl StoredOutcome {
    /// The stored outcome of a command that changed nothing. That of a connection is stored with its state, because the state may
    /// have changed by the time the request is repeated.
    pub fn unchanged(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Connection(_) => Self::from(outcome),
            _ => Self::Unchanged,
        }
    }

    /// The outcome of a command whose answer has no body.
    pub(super) fn done(self) -> Option<Outcome> {
        matches!(self, Self::Done | Self::Unchanged).then_some(Outcome::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_that_an_older_version_stored_is_read() {
        let stored = r#"{"Account":{"card":{"id":"00000000-0000-0000-0000-000000000001",
            "handle":"miller","display_name":"Miller"},"bio":""}}"#;
        let outcome: StoredOutcome = serde_json::from_str(stored).unwrap();
        let card = StoredAccount {
            id: Uuid::from_u128(1),
        };
        assert_eq!(outcome, StoredOutcome::Account { card });
        let stored = r#"{"Message":{"id":"00000000-0000-0000-0000-000000000001","text":"secret",
            "sender_id":"00000000-0000-0000-0000-000000000002","created_at":"2026-01-01T00:00:00Z"}}"#;
        let outcome: StoredOutcome = serde_json::from_str(stored).unwrap();
        let id = Uuid::from_u128(1);
        assert_eq!(outcome, StoredOutcome::Message { id });
        let stored = r#"{"Post":{"id":"00000000-0000-0000-0000-000000000001"}}"#;
        let outcome: StoredOutcome = serde_json::from_str(stored).unwrap();
        let audience = ShownAudience::Public;
        assert_eq!(outcome, StoredOutcome::Post { id, audience });
    }
}
