//! For how long an instance may believe that its partitions are its own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::watch;

use crate::{error::ApplyError, metrics as names};

/// An instance whose heartbeat is so old is dead to the others.
pub const LEASE: Duration = Duration::from_secs(3);

/// Renewed by every heartbeat, and looked at before every write. By this process's own clock, from before
/// the heartbeat was sent: so it ends here before it ends for the others. Clones are the same lease.
///
/// It only saves work and says what happened. What makes a late write impossible is the checkpoint's
/// compare-and-set.
#[derive(Debug, Clone)]
pub struct Lease {
    renewed: watch::Sender<Option<Instant>>,
    /// That it has lapsed was said already.
    said: Arc<AtomicBool>,
}

impl Default for Lease {
    /// Not had yet.
    fn default() -> Self {
        Self {
            renewed: watch::Sender::new(None),
            said: Arc::default(),
        }
    }
}

impl Lease {
    /// One that others renew never; for whoever has no others.
    pub fn eternal() -> Self {
        let lease = Self::default();
        lease.renew(Instant::now() + Duration::from_hours(24 * 365));
        lease
    }

    /// A heartbeat that was sent at `at` has arrived.
    pub fn renew(&self, at: Instant) {
        self.said.store(false, Ordering::Relaxed);
        self.renewed.send_replace(Some(at));
    }

    /// Errors: the lease has lapsed, because this process was stopped, or because PostgreSQL did not answer.
    pub fn check(&self) -> Result<(), ApplyError> {
        let Some(age) = self.renewed.borrow().map(|at| at.elapsed()) else {
            return Ok(());
        };
        if age < LEASE {
            return Ok(());
        }
        if !self.said.swap(true, Ordering::Relaxed) {
            metrics::counter!(names::LEASES_LAPSED).increment(1);
            tracing::warn!(
                away_seconds = age.as_secs_f64(),
                "this instance was away for {:.1} s, longer than its lease of {} s (it was stopped, or PostgreSQL \
                 did not answer): others may have its partitions, so it steps back and begins again from the \
                 checkpoints",
                age.as_secs_f64(),
                LEASE.as_secs(),
            );
        }
        Err(ApplyError::Lapsed(age))
    }

    /// Until it lapses. For what may wait for a server that will never answer.
    pub async fn lapsed(&self) -> ApplyError {
        let mut renewed = self.renewed.subscribe();
        loop {
            let at = *renewed.borrow_and_update();
            let end = async {
                match at {
                    Some(at) => tokio::time::sleep_until((at + LEASE).into()).await,
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

    /// Until a heartbeat has arrived that is not too old.
    pub async fn held(&self) {
        let mut renewed = self.renewed.subscribe();
        let held = |at: &Option<Instant>| at.is_some_and(|at| at.elapsed() < LEASE);
        // The sender is this lease's own, so it does not go away.
        let _ = renewed.wait_for(held).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_lapses_by_itself_and_is_renewed() {
        let lease = Lease::default();
        let now = Instant::now();
        lease.renew(now);
        assert!(lease.check().is_ok());
        lease.renew(now.checked_sub(LEASE).unwrap());
        assert!(matches!(lease.check(), Err(ApplyError::Lapsed(age)) if age >= LEASE));
        lease.renew(now);
        assert!(lease.check().is_ok());
        assert!(Lease::eternal().check().is_ok());
    }
}
