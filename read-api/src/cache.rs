//! Answers kept in memory, and loads of them that are shared.

mod flight;
mod metrics;

use std::{
    borrow::Cow,
    fmt,
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use ::metrics::counter;
use tokio::time::interval;
use uuid::Uuid;

use self::{flight::Flights, metrics::Metrics};
use crate::{
    answer::Answer,
    changes::Changes,
    error::Error,
    kept::{Kept, Store},
};

/// Between two looks at how much there is.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// What an answer takes, about.
const USUAL: u64 = 8 << 10;

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
    store: Option<Store<Key, Answer>>,
    flights: Flights,
    changes: Changes,
    metrics: Metrics,
}

impl Cache {
    /// Keeps up to `max_bytes`, and nothing if they are 0. What is asked for often stays.
    pub fn new(max_bytes: u64, changes: Changes) -> Self {
        let metrics = Metrics::new();
        let store = || {
            let evictions = counter!("cache_evictions_total");
            Store::new(max_bytes, USUAL, evictions, changes.clone())
        };
        Self(Arc::new(Inner {
            store: (max_bytes > 0).then(store),
            flights: Flights::default(),
            changes,
            metrics,
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
    ) -> Result<(Arc<Kept<Answer>>, Source), Error>
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
    pub fn weigh_again(&self, key: Key, kept: &Arc<Kept<Answer>>) {
        if let Some(store) = &self.0.store
            && store.find(&key).is_some_and(|now| Arc::ptr_eq(&now, kept))
        {
            let bytes = weight(&key, kept);
            store.keep(key, kept, bytes);
        }
    }

    /// Tells how much there is; for ever.
    pub async fn count(self) {
        let mut tick = interval(COUNT_EVERY);
        while let Some(store) = &self.0.store {
            tick.tick().await;
            self.0.metrics.entries.set(store.len() as f64);
            self.0.metrics.bytes.set(store.bytes() as f64);
        }
    }

    /// The bytes that are kept.
    pub fn bytes(&self) -> u64 {
        self.0.store.as_ref().map_or(0, Store::bytes)
    }
}

impl Inner {
    fn find(&self, key: &Key) -> Option<Arc<Kept<Answer>>> {
        let store = self.store.as_ref()?;
        let kept = store.find(key)?;
        if store.is_good(&kept, Instant::now()) {
            return Some(kept);
        }
        self.metrics.stale.increment(1);
        None
    }

    fn is_good(&self, kept: &Kept<Answer>) -> bool {
        let store = self.store.as_ref();
        store.is_some_and(|store| store.is_good(kept, Instant::now()))
    }

    /// Loads, or is content with what somebody else loads who began after this.
    async fn load_together<L>(
        &self,
        key: &Key,
        load: impl Fn() -> L,
    ) -> Result<(Arc<Kept<Answer>>, Source), Error>
    where
        L: Future<Output = Result<Answer, Error>>,
    {
        let arrived = Instant::now();
        loop {
            let mut own = None;
            let seat = self.flights.board(key);
            let landed = seat.land(async {
                // It may have landed between the look and the boarding.
                let store = self.store.as_ref();
                if let Some(kept) = store.and_then(|store| store.find_good(key, arrived)) {
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
    ) -> Result<(Arc<Kept<Answer>>, Source), Error> {
        let (began, started) = (self.changes.now(), Instant::now());
        let answer = load.await?;
        let kept = Arc::new(Kept::new(answer, began, started));
        if let Some(store) = &self.store {
            store.keep(key.clone(), &kept, weight(key, &kept));
        }
        Ok((kept, Source::Load(started.elapsed())))
    }
}

fn weight(key: &Key, kept: &Kept<Answer>) -> usize {
    let after = key.after.as_ref().map_or(0, |after| after.len());
    key.path.len() + after + kept.value.weight()
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cache")
    }
}
