//! The open streams, and waking those for which there may be new items.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use feedmill_events::Tag;
use feedmill_service::Database;
use metrics::{gauge, histogram};
use tokio::{
    sync::{Notify, Semaphore, SemaphorePermit},
    task::yield_now,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    error::Error,
    freshness::{
        progress::Progress,
        tag_versions::{Slot, TagVersions},
    },
    http::cursor::Cursors,
};

/// The least pause between two sweeps over all streams. A sweep takes some milliseconds for thousands of streams; the
/// pause is also at least so many times as long as the sweep took.
const MIN_SWEEP_PAUSE: Duration = Duration::from_millis(5);
const SWEEP_PAUSE_FACTOR: u32 = 10;

/// Streams that are checked before other tasks get a turn: about half a millisecond.
const SWEEP_BATCH: usize = 500;

/// How often every stream reads while no announcements are received.
const UNSUBSCRIBED_POLL_INTERVAL: Duration = Duration::from_secs(2);

/// A stream does not wait for longer if the database does not answer.
const MAX_CATCH_UP: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Open streams.
    pub streams: usize,
    pub streams_per_account: usize,
    /// Concurrent statements of all streams together.
    pub statements: usize,
}

/// Cheap to clone; clones share the streams.
#[derive(Clone)]
pub struct Streams(Arc<Inner>);

struct Inner {
    limits: Limits,
    database: Database,
    cursors: Cursors,
    progress: Progress,
    open: Mutex<Open>,
    statements: Semaphore,
    /// Ends all streams.
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
    checked: Mutex<Checked>,
    wake: Notify,
}

#[derive(Default)]
struct Checked {
    /// The version of [`TagVersions`] before the last read.
    version: u64,
    slots: Box<[Slot]>,
}

impl Streams {
    /// After `stop`, open streams end and no stream can be opened.
    pub fn new(
        limits: Limits,
        database: Database,
        cursors: Cursors,
        progress: Progress,
        stop: CancellationToken,
    ) -> Self {
        gauge!("streams_open").set(0.0);
        Self(Arc::new(Inner {
            limits,
            database,
            cursors,
            progress,
            open: Mutex::default(),
            statements: Semaphore::new(limits.statements),
            stop,
        }))
    }

    /// Wakes streams until cancelled.
    pub async fn wake(self) {
        let tag_versions = self.0.progress.tag_versions();
        let mut changes = tag_versions.watch();
        loop {
            let changed = timeout(UNSUBSCRIBED_POLL_INTERVAL, changes.changed()).await;
            // Without announcements, changes show only in the tables.
            if changed.is_ok() || !tag_versions.is_subscribed() {
                let started = Instant::now();
                self.sweep().await;
                let took = started.elapsed();
                histogram!("stream_sweep_seconds").record(took);
                sleep(MIN_SWEEP_PAUSE.max(took * SWEEP_PAUSE_FACTOR)).await;
            }
        }
    }

    /// Wakes the streams that depend on a tag that has changed.
    async fn sweep(&self) {
        let open: Vec<_> = self.open().by_account.values().flatten().cloned().collect();
        for batch in open.chunks(SWEEP_BATCH) {
            for watch in batch {
                let checked = watch.checked();
                let tag_versions = self.0.progress.tag_versions();
                if !tag_versions.unchanged_since(checked.version, &checked.slots) {
                    watch.wake.notify_one();
                }
            }
            yield_now().await;
        }
    }

    pub(super) fn cursors(&self) -> &Cursors {
        &self.0.cursors
    }

    /// Registers one more stream. Errors: too many are open.
    pub(super) fn register(&self, viewer: Uuid) -> Result<OpenStream, Error> {
        let limits = self.0.limits;
        let mut open = self.open();
        if open.count >= limits.streams {
            return Err(Error::TooManyStreams);
        }
        let own = open.by_account.entry(viewer).or_default();
        if own.len() >= limits.streams_per_account {
            return Err(Error::TooManyStreamsOfAccount(own.len()));
        }
        let watch = Arc::<Watch>::default();
        own.push(Arc::clone(&watch));
        open.count += 1;
        gauge!("streams_open").set(open.count as f64);
        Ok(OpenStream {
            streams: self.clone(),
            viewer,
            watch,
        })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    fn checked(&self) -> MutexGuard<'_, Checked> {
        self.checked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A registered stream, until it is dropped.
pub(super) struct OpenStream {
    streams: Streams,
    pub(super) viewer: Uuid,
    watch: Arc<Watch>,
}

impl OpenStream {
    pub fn cursors(&self) -> &Cursors {
        self.streams.cursors()
    }

    pub fn tag_versions(&self) -> &TagVersions {
        self.streams.0.progress.tag_versions()
    }

    /// Returns when the lists that the client reads now have at least what the stream has read.
    pub async fn lists_caught_up(&self) {
        self.streams.0.progress.catch_up(MAX_CATCH_UP).await;
    }

    /// The database, with a permit for one statement at a time.
    pub async fn database(&self) -> (&Database, Option<SemaphorePermit<'_>>) {
        // Never closed.
        let permit = self.streams.0.statements.acquire().await.ok();
        (&self.streams.0.database, permit)
    }

    /// The version at the last read; 0 before the first one, so that everything counts as changed.
    pub fn checked_version(&self) -> u64 {
        self.watch.checked().version
    }

    pub fn set_checked_version(&self, version: u64) {
        self.watch.checked().version = version;
    }

    pub fn set_tags(&self, tags: impl Iterator<Item = Tag>) {
        self.watch.checked().slots = tags.map(Slot::from).collect();
    }

    /// Returns when a tag may have changed, or after [`wake`](Self::wake).
    pub async fn woken(&self) {
        self.watch.wake.notified().await;
    }

    pub fn wake(&self) {
        self.watch.wake.notify_one();
    }

    /// Cancelled when the service stops.
    pub fn stop(&self) -> CancellationToken {
        self.streams.0.stop.clone()
    }
}

impl Drop for OpenStream {
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
