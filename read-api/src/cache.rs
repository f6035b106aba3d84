//! Answers kept in memory, for as long as nothing that they are made of has changed.
//!
//! Nothing is ever removed because it is no longer good: that shows when it is looked at ([`Changes`]), and the
//! next load takes its place. So there is no order of a change, a load's end and a look that could go wrong.

mod flight;
mod metrics;

use std::{
    borrow::Cow,
    fmt,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use ::metrics::counter;
use moka::{notification::RemovalCause, sync::Cache as Store};
use tokio::time::interval;
use uuid::Uuid;

use self::{flight::Flights, metrics::Metrics};
use crate::{answer::Answer, changes::Changes, error::Error};

/// Nothing is kept for longer, even if no change is heard of: the belt to the braces.
pub const TIME_TO_LIVE: Duration = Duration::from_mins(10);

/// Between two looks at what has expired, and at how much there is.
const UPKEEP: Duration = Duration::from_secs(1);

/// Which answer: the same for every way in which a client can write the same question.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// None if it is the same for everyone.
    pub viewer: Option<Uuid>,
    pub path: Cow<'static, str>,
    /// Of a page.
    pub limit: u8,
    pub after: Option<Box<str>>,
}

impl Key {
    /// Of what has no pages.
    pub fn of(viewer: impl Into<Option<Uuid>>, path: String) -> Self {
        Self {
            viewer: viewer.into(),
            path: path.into(),
            limit: 0,
            after: None,
        }
    }
}

/// An answer, and from when it is.
#[derive(Debug)]
pub struct Kept {
    pub answer: Answer,
    /// The clock of [`Changes`] before its load.
    began: u64,
    /// The same moment, by the clock on the wall: it goes on while changes are not heard of.
    started: Instant,
    /// [`Changes::settled`] of when it was last found good: the slots of a feed are a hundred looks at memory.
    found_good: AtomicU64,
}

/// How an answer was come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// It was kept.
    Memory,
    /// It was loaded in this time.
    Load(Duration),
    /// Somebody else loaded it meanwhile.
    OthersLoad,
}

/// Cheap to clone; clones share what they keep.
#[derive(Clone)]
pub struct Cache(Arc<Inner>);

struct Inner {
    /// None if nothing is to be kept.
    store: Option<Store<Key, Arc<Kept>>>,
    flights: Flights,
    changes: Changes,
    metrics: Metrics,
}

impl Cache {
    /// Keeps up to `max_bytes`, and nothing if they are 0. What is asked for often stays (TinyLFU).
    pub fn new(max_bytes: u64, changes: Changes) -> Self {
        let evicted = |_, _, cause| {
            if cause == RemovalCause::Size {
                counter!("cache_evictions_total").increment(1);
            }
        };
        let store = Store::<Key, Arc<Kept>>::builder()
            .max_capacity(max_bytes)
            .weigher(|key, kept| u32::try_from(weight(key, kept)).unwrap_or(u32::MAX))
            .time_to_live(TIME_TO_LIVE)
            .eviction_listener(evicted);
        Self(Arc::new(Inner {
            store: (max_bytes > 0).then(|| store.build()),
            flights: Flights::default(),
            changes,
            metrics: Metrics::new(),
        }))
    }

    pub fn is_on(&self) -> bool {
        self.0.store.is_some()
    }

    /// The answer to `key`: a kept one that is good, or what `load` gives. The answer is never older than
    /// the request. Who is `unheard` has seen a change that may not have been heard of, and gets what is loaded
    /// from now on.
    ///
    /// Loads of one key at the same time are one. `load` is called at most twice.
    pub async fn get<L>(
        &self,
        key: &Key,
        unheard: bool,
        load: impl Fn() -> L,
    ) -> Result<(Arc<Kept>, Source), Error>
    where
        L: Future<Output = Result<Answer, Error>>,
    {
        let inner = &*self.0;
        if !unheard && let Some(kept) = inner.find(key) {
            inner.metrics.hits.increment(1);
            return Ok((kept, Source::Memory));
        }
        inner.metrics.misses.increment(1);
        // Boxed, so that an answer from memory needs no room for the states of a load.
        let load = || Box::pin(load());
        if unheard || inner.store.is_none() {
            return inner.load(key, load()).await;
        }
        Box::pin(inner.load_together(key, load)).await
    }

    /// To be called when a kept answer has grown by a content coding.
    pub fn weigh_again(&self, key: Key, kept: &Arc<Kept>) {
        if let Some(store) = &self.0.store
            && store.get(&key).is_some_and(|now| Arc::ptr_eq(&now, kept))
        {
            store.insert(key, Arc::clone(kept));
        }
    }

    /// Forgets what has expired, also when nobody asks, and tells how much there is; for ever.
    pub async fn keep_up(self) {
        let mut tick = interval(UPKEEP);
        while let Some(store) = &self.0.store {
            tick.tick().await;
            self.settle();
            self.0.metrics.entries.set(store.entry_count() as f64);
            self.0.metrics.bytes.set(store.weighted_size() as f64);
        }
    }

    /// Evicts what is too much now and not a moment later; the bytes that are kept.
    pub fn settle(&self) -> u64 {
        self.0.store.as_ref().map_or(0, |store| {
            store.run_pending_tasks();
            store.weighted_size()
        })
    }
}

impl Inner {
    fn find(&self, key: &Key) -> Option<Arc<Kept>> {
        let kept = self.kept(key)?;
        if self.is_good(&kept) {
            return Some(kept);
        }
        self.metrics.stale.increment(1);
        None
    }

    fn kept(&self, key: &Key) -> Option<Arc<Kept>> {
        self.store.as_ref()?.get(key)
    }

    fn is_good(&self, kept: &Kept) -> bool {
        let settled = self.changes.settled();
        if kept.found_good.load(Ordering::Relaxed) == settled {
            return true;
        }
        let slots = &kept.answer.slots;
        let good = self.changes.unchanged_since(kept.began, slots);
        if good {
            kept.found_good.store(settled, Ordering::Relaxed);
        }
        good
    }

    /// Loads, or is content with what somebody else loads who began after this.
    async fn load_together<L>(
        &self,
        key: &Key,
        load: impl Fn() -> L,
    ) -> Result<(Arc<Kept>, Source), Error>
    where
        L: Future<Output = Result<Answer, Error>>,
    {
        let arrived = Instant::now();
        loop {
            let mut own = None;
            let seat = self.flights.board(key);
            let landed = seat.land(async {
                // It may have landed between the look and the boarding.
                if let Some(kept) = self.kept(key).filter(|kept| self.is_good(kept)) {
                    return Some(kept);
                }
                let loaded = own.insert(self.load(key, load()).await);
                loaded.as_ref().ok().map(|(kept, _)| Arc::clone(kept))
            });
            let landed = landed.await;
            if let Some(loaded) = own {
                return loaded;
            }
            let Some(kept) = landed else {
                // Each learns by itself what is wrong.
                return self.load(key, load()).await;
            };
            // The second flight has begun after the request has come.
            if kept.started >= arrived || self.is_good(&kept) {
                self.metrics.joined.increment(1);
                return Ok((kept, Source::OthersLoad));
            }
        }
    }

    async fn load(
        &self,
        key: &Key,
        load: impl Future<Output = Result<Answer, Error>>,
    ) -> Result<(Arc<Kept>, Source), Error> {
        let (began, started) = (self.changes.now(), Instant::now());
        let answer = load.await?;
        let kept = Arc::new(Kept {
            answer,
            began,
            started,
            found_good: AtomicU64::new(u64::MAX),
        });
        // What is not good would only take somebody's place.
        if let Some(store) = &self.store
            && self.is_good(&kept)
        {
            store.insert(key.clone(), Arc::clone(&kept));
        }
        Ok((kept, Source::Load(started.elapsed())))
    }
}

fn weight(key: &Key, kept: &Kept) -> usize {
    let after = key.after.as_ref().map_or(0, |after| after.len());
    key.path.len() + after + kept.answer.weight()
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cache")
    }
}
