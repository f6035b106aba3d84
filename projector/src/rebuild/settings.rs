//! What an operator chose, and how the operation ended.

use feedmill_service::NatsArgs;

use crate::projection::Context;

#[derive(Debug, Clone)]
pub struct Settings {
    /// URL of the database, with the role that owns the read models.
    pub url: String,
    /// Where a cutover is announced, if NATS is reachable.
    pub nats: NatsArgs,
    pub context: Context,
    /// The replay waits while the live model is further behind the log, in events.
    pub max_live_lag: i64,
    /// Also apply the events that an operator let the live model skip.
    pub with_skipped: bool,
    /// The operator, for the audit log.
    pub by: String,
}

impl Settings {
    pub const DEFAULT_MAX_LIVE_LAG: i64 = 5_000;
}

/// How an operation ended that did not fail, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    Done,
    /// The tables differ, and nothing was changed.
    Differs,
    /// Another rebuild, verification or rollback of the projection is running.
    Busy,
}
