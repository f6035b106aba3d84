//! Live updates: open streams, and waking those for which something may be new.
//!
//! A stream depends on [`Tag`](feedmill_events::Tag)s as a cached answer does. One task looks over the slots of
//! all open streams whenever something has changed, and wakes those that it may concern; each of these reads
//! what is new for it ([`live`]), a few at a time, so that a post to thousands of streams leaves connections to
//! the reads. What a client has (`marks`) is in the id of every event (`event_id`).

mod event;
mod event_id;
mod items;
pub(crate) mod live;
mod marks;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use metrics::{gauge, histogram};
use tokio::{
    sync::{Notify, Semaphore},
    task::yield_now,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::changes::{Changes, Slot};

/// Between two looks over all streams, at least; and so many times as long as one look took, which is some
/// milliseconds for thousands of streams.
const PAUSE: Duration = Duration::from_millis(5);
const PAUSE_FACTOR: u32 = 10;

/// Streams that are looked over before others have their turn: about half a millisecond.
const SWEPT_AT_ONCE: usize = 500;

/// Between two reads of every stream while changes are not heard of.
const POLL: Duration = Duration::from_secs(2);

/// How much there may be of it.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Streams that are open at once.
    pub streams: usize,
    pub streams_of_account: usize,
    /// Statements at once, of all streams together.
    pub reads: usize,
}

/// The streams that are open. Cheap to clone; clones share them.
#[derive(Clone)]
pub struct Streams(Arc<Inner>);

struct Inner {
    limits: Limits,
    open: Mutex<Open>,
    changes: Changes,
    reads: Semaphore,
    /// Ends all of them.
    stop: CancellationToken,
}

#[derive(Default)]
struct Open {
    count: usize,
    by_account: HashMap<Uuid, Vec<Arc<Watch>>>,
}

/// What a stream depends on.
#[derive(Default)]
struct Watch {
    seen: Mutex<Seen>,
    wake: Notify,
}

#[derive(Default)]
struct Seen {
    /// The clock of [`Changes`] before the last read.
    at: u64,
    slots: Box<[Slot]>,
}

/// Why no further stream can be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    #[error("this account has {0} streams open; close one first")]
    Account(usize),
    #[error("too many streams are open here")]
    Service,
}

impl Streams {
    /// None can be opened any more once `stop` is cancelled, and those that are open end.
    pub fn new(limits: Limits, changes: Changes, stop: CancellationToken) -> Self {
        gauge!("streams_open").set(0.0);
        Self(Arc::new(Inner {
            limits,
            open: Mutex::default(),
            changes,
            reads: Semaphore::new(limits.reads),
            stop,
        }))
    }

    /// Wakes streams, for ever.
    pub async fn wake(self) {
        let changes = &self.0.changes;
        let mut news = changes.subscribe();
        loop {
            // Announcements may be away for long: what then changes shows in the tables only.
            if timeout(POLL, news.changed()).await.is_ok() || !changes.hearing() {
                let began = Instant::now();
                self.sweep().await;
                let took = began.elapsed();
                histogram!("stream_sweep_seconds").record(took);
                sleep(PAUSE.max(took * PAUSE_FACTOR)).await;
            }
        }
    }

    async fn sweep(&self) {
        let open: Vec<_> = self.open().by_account.values().flatten().cloned().collect();
        for some in open.chunks(SWEPT_AT_ONCE) {
            for watch in some {
                watch.look(&self.0.changes);
            }
            yield_now().await;
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for one more stream.
    fn seat(&self, viewer: Uuid) -> Result<Seat, Full> {
        let limits = self.0.limits;
        let mut open = self.open();
        if open.count >= limits.streams {
            return Err(Full::Service);
        }
        let own = open.by_account.entry(viewer).or_default();
        if own.len() >= limits.streams_of_account {
            return Err(Full::Account(own.len()));
        }
        let watch = Arc::<Watch>::default();
        own.push(Arc::clone(&watch));
        open.count += 1;
        gauge!("streams_open").set(open.count as f64);
        Ok(Seat {
            streams: self.clone(),
            viewer,
            watch,
        })
    }
}

impl Watch {
    /// Wakes the stream if something that it depends on may have changed.
    fn look(&self, changes: &Changes) {
        let seen = self.seen();
        if !changes.unchanged_since(seen.at, &seen.slots) {
            self.wake.notify_one();
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of an open stream, until it is dropped.
struct Seat {
    streams: Streams,
    viewer: Uuid,
    watch: Arc<Watch>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self.streams.open();
        open.count -= 1;
        gauge!("streams_open").set(open.count as f64);
        if let Some(own) = open.by_account.get_mut(&self.viewer) {
            own.retain(|watch| !Arc::ptr_eq(watch, &self.watch));
            if own.is_empty() {
                open.by_account.remove(&self.viewer);
            }
        }
    }
}
