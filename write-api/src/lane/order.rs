//! What goes into a lane and what comes out.

use feedmill_events::{Partition, Positions};
use uuid::Uuid;

use crate::domain::{Command, Outcome, Rejection};

/// A command, who gives it, and what belongs to the request.
#[derive(Debug, Clone)]
pub struct Order {
    /// Nil where nobody is signed in yet.
    pub actor: Uuid,
    pub command: Command,
    pub idempotency: Option<IdempotencyKey>,
    /// W3C traceparent, kept with the event.
    pub traceparent: Option<String>,
}

impl Order {
    pub fn partition(&self) -> Partition {
        self.command.partition(self.actor)
    }
}

#[derive(Debug, Clone)]
pub struct IdempotencyKey {
    pub key: String,
    /// HMAC-SHA-256 of method, path and body: a body may hold a password.
    pub fingerprint: [u8; 32],
}

/// What an accepted command answers, after its commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub outcome: Outcome,
    pub positions: Positions,
    /// Whether this is the first answer to an idempotency key, given again.
    pub replayed: bool,
}

/// Why a command was not accepted. All but [`Refusal::Database`] and [`Refusal::Internal`] have surely changed
/// nothing.
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
    #[error("something went wrong")]
    Internal,
}
