//! The worker of one projection.
//!
//! A session loads the checkpoints, catches up from the log and then applies events as they arrive, until an error that
//! a new session recovers from. The checkpoints are all that is kept between sessions.
//!
//! - `session`: the loop of a session; receives events.
//! - `catch_up`: reads missed events from the log; retries blocked partitions.
//! - `assignment`: takes over and gives up partitions.
//! - `isolate`: finds events that cannot be applied and blocks their partitions.
//! - `apply`: applies a batch in one transaction.
//! - `state`: what all of these share.

mod apply;
mod assignment;
mod catch_up;
mod isolate;
mod session;
mod state;

use std::time::Duration;

use tokio::time::timeout;

pub use self::state::{Job, Worker};
use crate::{error::ApplyError, metrics as names};

/// The delay after a failed session, doubled each time up to the maximum.
const MIN_RETRY_DELAY: Duration = Duration::from_millis(50);
const MAX_RETRY_DELAY: Duration = Duration::from_secs(5);
/// Fewer conflicts in a row are expected, and not logged as warnings.
const MAX_EXPECTED_CONFLICTS: u32 = 5;
/// If an expired lease is not renewed within this time, the projection is reported as not ready.
const LEASE_RENEWAL_TIMEOUT: Duration = Duration::from_secs(1);

impl Worker {
    /// Projects until shutdown.
    pub async fn run(mut self) {
        while let Err(error) = self.session_under_lease().await {
            self.job.connection.discard();
            let name = self.job.projection.name();
            match error {
                ApplyError::LeaseExpired(_) => {
                    // A process that was suspended renews it at once. Without PostgreSQL, that takes longer.
                    let renewal = async {
                        let held = timeout(LEASE_RENEWAL_TIMEOUT, self.job.lease.held());
                        if held.await.is_err() {
                            self.job.health.set(name, Err(error.to_string()));
                            self.job.lease.held().await;
                        }
                    };
                    tokio::select! {
                        () = renewal => continue,
                        () = self.job.shutdown.soft.cancelled() => return,
                    }
                }
                ApplyError::Conflict => {
                    metrics::counter!(names::CONFLICTS, "projection" => name).increment(1);
                }
                _ => self.job.health.set(name, Err(error.to_string())),
            }
            let delay =
                MAX_RETRY_DELAY.min(MIN_RETRY_DELAY * 2u32.saturating_pow(self.failures.min(10)));
            self.failures += 1;
            // Expected while partitions move between instances, and at a cutover.
            if matches!(error, ApplyError::Conflict) && self.failures < MAX_EXPECTED_CONFLICTS {
                tracing::info!(
                    projection = name,
                    "worker: {error}; loading the checkpoints again"
                );
            } else {
                tracing::warn!(
                    projection = name,
                    %error,
                    "worker: cannot apply events, restarting from the checkpoints in {delay:?}"
                );
            }
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = self.job.shutdown.soft.cancelled() => return,
            }
        }
    }

    /// Aborts the session when the lease expires, wherever it is: without a lease it must not write, and its connection
    /// may be waiting for a server that never answers.
    async fn session_under_lease(&mut self) -> Result<(), ApplyError> {
        let lease = self.job.lease.clone();
        tokio::select! {
            result = self.session() => result,
            error = lease.expired() => Err(error),
        }
    }
}
