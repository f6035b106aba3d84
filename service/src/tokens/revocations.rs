//! Ended sessions, whose access tokens are refused although they have not expired.
//!
//! Every verifier has the set of them in memory, so that a request costs no statement. write-api, which ends sessions, fills
//! it in two ways, of which each is enough: it announces an ended session on core NATS ([`receive`]), and it serves the list
//! of all of them, which is polled ([`poll`]). While both are cut off, the token of an ended session is accepted until it
//! expires.

pub mod list;
pub mod poll;
pub mod receive;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use feedmill_events::id;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::list::{Ended, EndedSession};
use super::unix_time;

/// The ended sessions that still have access tokens. Cheap to clone; clones share the set.
#[derive(Debug, Clone, Default)]
pub struct Revocations(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// The number of changes so far: what was checked at this version need not be checked again.
    version: AtomicU64,
    /// When the last access token of each session expires, in Unix seconds.
    ended: RwLock<HashMap<Uuid, u64>>,
    /// All sessions that began before this have ended, in Unix milliseconds.
    all_before: AtomicU64,
    /// Sessions whose end somebody waits for.
    watched: Mutex<HashMap<Uuid, Watched>>,
}

#[derive(Debug, Default)]
struct Watched {
    ended: CancellationToken,
    watchers: usize,
}

impl Revocations {
    /// Adds what has ended.
    pub fn extend(&self, ended: &Ended) {
        self.end_all_before(ended.all_before);
        self.add(&ended.sessions);
    }

    /// Ends all sessions that began before this time, in Unix milliseconds: their ids have the time.
    fn end_all_before(&self, millis: u64) {
        if self.0.all_before.fetch_max(millis, Ordering::Release) >= millis {
            return;
        }
        // After the change: who sees the new version sees the change.
        self.0.version.fetch_add(1, Ordering::Release);
        for (session, watched) in self.watched().iter() {
            if began_before(*session, millis) {
                watched.ended.cancel();
            }
        }
    }

    /// Adds ended sessions. Those that are known, and those whose tokens have all expired, change nothing.
    pub fn add(&self, sessions: &[EndedSession]) {
        let now = unix_time::now();
        let mut new = Vec::new();
        {
            let mut ended = self.0.ended.write().unwrap_or_else(PoisonError::into_inner);
            let live = sessions.iter().filter(|ended| ended.until > now);
            for EndedSession { session, until } in live {
                if let Some(known) = ended.get_mut(session) {
                    *known = (*known).max(*until);
                } else {
                    ended.insert(*session, *until);
                    new.push(*session);
                }
            }
            ended.retain(|_, until| *until > now);
            metrics::gauge!("ended_sessions").set(ended.len() as f64);
            if new.is_empty() {
                return;
            }
            // After the change: who sees the new version sees the change.
            self.0.version.fetch_add(1, Ordering::Release);
        }
        let watched = self.watched();
        for session in new {
            if let Some(watched) = watched.get(&session) {
                watched.ended.cancel();
            }
        }
    }

    /// Whether the session has ended and may still have access tokens.
    pub fn contains(&self, session: Uuid) -> bool {
        if began_before(session, self.0.all_before.load(Ordering::Acquire)) {
            return true;
        }
        let ended = self.0.ended.read().unwrap_or_else(PoisonError::into_inner);
        ended.contains_key(&session)
    }

    /// Changes with each addition.
    pub fn version(&self) -> u64 {
        self.0.version.load(Ordering::Acquire)
    }

    /// All of them, in the order of their ids.
    pub fn list(&self) -> Ended {
        let now = unix_time::now();
        let ended = self.0.ended.read().unwrap_or_else(PoisonError::into_inner);
        let live = ended.iter().filter(|(_, until)| **until > now);
        let mut list: Vec<_> = live
            .map(|(session, until)| EndedSession {
                session: *session,
                until: *until,
            })
            .collect();
        list.sort_by_key(|ended| ended.session);
        Ended {
            sessions: list,
            all_before: self.0.all_before.load(Ordering::Acquire),
        }
    }

    /// For waiting until the session ends. Costs nothing while other sessions end.
    pub fn watch(&self, session: Uuid) -> SessionWatch {
        let ended = {
            let mut watched = self.watched();
            let entry = watched.entry(session).or_default();
            entry.watchers += 1;
            entry.ended.clone()
        };
        // It may have ended before it was watched.
        if self.contains(session) {
            ended.cancel();
        }
        SessionWatch {
            revocations: self.clone(),
            session,
            ended,
        }
    }

    fn watched(&self) -> MutexGuard<'_, HashMap<Uuid, Watched>> {
        let watched = self.0.watched.lock();
        watched.unwrap_or_else(PoisonError::into_inner)
    }
}

fn began_before(session: Uuid, millis: u64) -> bool {
    millis > 0 && u64::try_from(id::millis(session)).is_ok_and(|began| began < millis)
}

/// Waits for the end of a session.
#[derive(Debug)]
pub struct SessionWatch {
    revocations: Revocations,
    session: Uuid,
    ended: CancellationToken,
}

impl SessionWatch {
    /// Returns when the session has ended.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }
}

impl Drop for SessionWatch {
    fn drop(&mut self) {
        let mut watched = self.revocations.watched();
        if let Some(entry) = watched.get_mut(&self.session) {
            entry.watchers -= 1;
            if entry.watchers == 0 {
                watched.remove(&self.session);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn ended(session: u128, seconds_left: u64) -> EndedSession {
        EndedSession {
            session: Uuid::from_u128(session),
            until: unix_time::now() + seconds_left,
        }
    }

    #[test]
    fn a_session_stays_ended_while_it_has_tokens() {
        let revocations = Revocations::default();
        let before = revocations.version();
        revocations.add(&[ended(1, 0)]);
        assert!(!revocations.contains(Uuid::from_u128(1)));
        assert_eq!(revocations.version(), before);

        revocations.add(&[ended(2, 60), ended(1, 60)]);
        let version = revocations.version();
        assert_ne!(version, before);
        revocations.add(&[ended(1, 60)]);
        assert_eq!(revocations.version(), version, "nothing new");
        let list = revocations.list();
        let sessions: Vec<_> = list
            .sessions
            .iter()
            .map(|ended| ended.session.as_u128())
            .collect();
        assert_eq!(sessions, [1, 2]);
    }

    #[test]
    fn all_sessions_from_before_a_restore_have_ended() {
        let revocations = Revocations::default();
        let began_at = |millis| id::compose(millis, 0, 1, None);
        let (old, new) = (began_at(1_000), began_at(2_000));
        let watches = [revocations.watch(old), revocations.watch(new)];
        let version = revocations.version();
        let restored = Ended {
            all_before: 2_000,
            ..Ended::default()
        };
        revocations.extend(&restored);
        assert_ne!(revocations.version(), version);
        assert!(revocations.contains(old) && !revocations.contains(new));
        assert!(watches[0].ended().now_or_never().is_some());
        assert!(watches[1].ended().now_or_never().is_none());
        assert_eq!(revocations.list(), restored);

        let version = revocations.version();
        revocations.extend(&Ended::default());
        assert_eq!(revocations.version(), version, "nothing new");
        assert!(revocations.contains(old));
    }

    #[test]
    fn a_watch_ends_with_its_session_only() {
        let revocations = Revocations::default();
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let watches = [revocations.watch(one), revocations.watch(one)];
        let unaffected = revocations.watch(other);
        assert!(watches[0].ended().now_or_never().is_none());
        revocations.add(&[ended(1, 60)]);
        for watch in &watches {
            assert!(watch.ended().now_or_never().is_some());
        }
        assert!(unaffected.ended().now_or_never().is_none());
        assert!(revocations.watch(one).ended().now_or_never().is_some());
        drop((watches, unaffected));
        assert!(revocations.watched().is_empty());
    }
}
