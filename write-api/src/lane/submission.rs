//! What goes into a lane, and what comes out.

use feedmill_events::{PartitionSet, Positions};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::{
    domain::{Command, Outcome, Rejection},
    idempotency::IdempotencyKey,
    quota::{QuotaExceeded, QuotaState},
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
    pub fn partitions(&self) -> PartitionSet {
        self.command.partitions(self.actor)
    }

    /// Whether the caller has gone away.
    pub fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }
}

/// The answer to an accepted command, sent after its commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub outcome: Outcome,
    pub positions: Positions,
    /// The positions, sealed for the caller.
    pub position: Option<String>,
    /// Whether this repeats the answer to an earlier request with the same key.
    pub replayed: bool,
    /// What the caller has left of the quota that the command counts for.
    pub quota: Option<QuotaState>,
}

/// Why a command was not accepted. It changed nothing, except that after [`Refusal::Database`] and [`Refusal::Internal`]
/// the outcome is unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error(transparent)]
    Rejected(#[from] Rejection),
    #[error("the idempotency key was used for another request")]
    KeyReused,
    #[error(transparent)]
    QuotaExceeded(#[from] QuotaExceeded),
    #[error("too many commands are waiting")]
    Overloaded,
    #[error("the database is not available: {0}")]
    Database(String),
    #[error("the command failed")]
    Internal,
}
