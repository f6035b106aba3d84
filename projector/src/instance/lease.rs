//! The lease: how long an instance may assume that it owns its partitions.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::watch;

use crate::{error::ApplyError, metrics as names};

/// The other instances consider an instance dead when its last heartbeat is older.
pub const LEASE_DURATION: Duration = Duration::from_secs(3);

/// Renewed by every heartbeat and checked before every write. It counts from the time at which the heartbeat was sent, by
/// this process's clock, so it expires here before it expires for the others. Clones share one lease.
///
/// The lease only saves work and explains what happened. The checkpoint's compare-and-set is what prevents late writes.
#[derive(Debug, Clone)]
pub struct Lease {
    renewed: watch::Sender<Option<Instant>>,
    /// Whether the current expiry has been logged.
    is_logged: Arc<AtomicBool>,
}

impl Default for Lease {
    /// A lease before the first heartbeat: not held, and not expired.
    fn default() -> Self {
        Self {
            renewed: watch::Sender::new(None),
            is_logged: Arc::default(),
        }
    }
}

impl Lease {
    /// A lease that never expires, for an instance without others.
    pub fn eternal() -> Self {
        let lease = Self::default();
        lease.renew(Instant::now() + Duration::from_hours(24 * 365));
        lease
    }

    /// Notes that the server has received a heartbeat that was sent at `at`.
    pub fn renew(&self, at: Instant) {
        self.is_logged.store(false, Ordering::Relaxed);
        self.renewed.send_replace(Some(at));
    }

    /// Errors: the lease has expired, because this process was suspended or PostgreSQL did not answer.
    pub fn check(&self) -> Result<(), ApplyError> {
        let Some(age) = self.renewed.borrow().map(|at| at.elapsed()) else {
            return Ok(());
        };
        if age < LEASE_DURATION {
            return Ok(());
        }
        if !self.is_logged.swap(true, Ordering::Relaxed) {
            metrics::counter!(names::LEASES_LAPSED).increment(1);
            tracing::warn!(
                seconds = age.as_secs_f64(),
                "instance: no heartbeat for {:.1} s, longer than the lease of {} s, because the process was suspended \
                 or PostgreSQL did not answer; other instances may own the partitions now, so this one stops writing \
                 and restarts from the checkpoints",
                age.as_secs_f64(),
                LEASE_DURATION.as_secs(),
            );
        }
        Err(ApplyError::LeaseExpired(age))
    }

    /// Waits until the lease expires. For tasks that may be waiting for a server that never answers.
    pub async fn expired(&self) -> ApplyError {
        let mut renewed = self.renewed.subscribe();
        loop {
            let at = *renewed.borrow_and_update();
            let end = async {
                match at {
                    Some(at) => tokio::time::sleep_until((at + LEASE_DURATION).into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = end => {}
                _ = renewed.changed() => continue,
            }
            if let Err(error) = self.check() {
                return error;
            }
        }
    }

    /// Waits until the lease is held.
    pub async fn held(&self) {
        let mut renewed = self.renewed.subscribe();
        let held = |at: &Option<Instant>| at.is_some_and(|at| at.elapsed() < LEASE_DURATION);
        // This lease has a sender itself, so the channel is open.
        let _ = renewed.wait_for(held).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_expires_unless_it_is_renewed() {
        let lease = Lease::default();
        let now = Instant::now();
        lease.renew(now);
        assert!(lease.check().is_ok());
        lease.renew(now.checked_sub(LEASE_DURATION).unwrap());
        assert!(
            matches!(lease.check(), Err(ApplyError::LeaseExpired(age)) if age >= LEASE_DURATION)
        );
        lease.renew(now);
        assert!(lease.check().is_ok());
        assert!(Lease::eternal().check().is_ok());
    }
}
