//! What goes into a lane, and what comes out.

use feedmill_events::{Partition, Positions};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::{
    domain::{Command, Outcome, Rejection},
    idempotency::IdempotencyKey,
};

/// A command on its way through a lane, with the channel for its answer.
#[derive(Debug)]
pub struct Submission {
    /// Nil while nobody is signed in.
    pub actor: Uuid,
    pub command: Command,
    pub idempotency: Option<IdempotencyKey>,
    /// The W3C traceparent of the request, which is stored with its events.
    pub traceparent: Option<String>,
    pub reply: oneshot::Sender<Result<Answer, Refusal>>,
}

impl Submission {
    pub fn partition(&self) -> Partition {
        self.command.partition(self.actor)
    }

    /// Whether the caller has gone away.
    pub fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }
}

/// The answer to an accepted command, sent after its commit. It is stored as JSON under the command's idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    pub outcome: Outcome,
    #[serde(
        serialize_with = "write_positions",
        deserialize_with = "read_positions"
    )]
    pub positions: Positions,
    /// Whether this is the stored answer to an earlier request with the same key.
    #[serde(skip)]
    pub replayed: bool,
}

fn write_positions<S: Serializer>(positions: &Positions, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(positions)
}

fn read_positions<'de, D: Deserializer<'de>>(from: D) -> Result<Positions, D::Error> {
    let text = String::deserialize(from)?;
    if text.is_empty() {
        return Ok(Positions::default());
    }
    text.parse().map_err(D::Error::custom)
}

/// Why a command was not accepted. It changed nothing, except that after [`Refusal::Database`] and [`Refusal::Internal`]
/// the outcome is unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error(transparent)]
    Rejected(#[from] Rejection),
    #[error("the idempotency key was used for another request")]
    KeyReused,
    #[error("too many commands are waiting")]
    Overloaded,
    #[error("the database is not available: {0}")]
    Database(String),
    #[error("the command failed")]
    Internal,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_an_older_version_stored_is_read() {
        let stored = r#"{"outcome":"Done","positions":"12:345"}"#;
        let answer: Answer = serde_json::from_str(stored).unwrap();
        assert_eq!(answer.outcome, Outcome::Done);
        assert_eq!(answer.positions, "12:345".parse().unwrap());
        assert_eq!(serde_json::to_string(&answer).unwrap(), stored);
    }
}
