//! The cache of whole answers.

use std::{
    borrow::Cow,
    fmt,
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use ::metrics::Counter;
use uuid::Uuid;

use super::{
    answer::{Answer, LoadedAnswer},
    metrics::{self, Lookups},
    single_flight::SingleFlight,
    store::{CacheEntry, Store},
};
use crate::{error::Error, freshness::tag_versions::TagVersions};

/// The label of its metrics.
const NAME: &str = "answers";

/// About the size of a page of a feed.
const BYTES_PER_BUCKET: u64 = 10_000;

/// Identifies an answer, however the client wrote the request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// None if the answer is the same for everyone.
    pub viewer: Option<Uuid>,
    pub path: Cow<'static, str>,
    /// The length of a page; 0 for an answer without pages.
    pub limit: u8,
    /// Where in its list a page is; None for the first page.
    pub seek: Option<Box<str>>,
}

impl Key {
    /// The key of an answer without pages.
    pub fn new(viewer: impl Into<Option<Uuid>>, path: String) -> Self {
        Self {
            viewer: viewer.into(),
            path: path.into(),
            limit: 0,
            seek: None,
        }
    }
}

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Cache,
    /// A load of this request, which took so long.
    Load(Duration),
    /// The load of another request.
    JoinedLoad,
}

pub type CachedAnswer = Arc<CacheEntry<Answer>>;

/// Cheap to clone; clones share the entries.
#[derive(Clone)]
pub struct AnswerCache(Arc<Inner>);

struct Inner {
    store: Store<Key, Answer>,
    loads: SingleFlight<Key, CachedAnswer>,
    tag_versions: TagVersions,
    lookups: Lookups,
    stale: Counter,
    joined: Counter,
}

impl AnswerCache {
    /// A cache of up to `max_bytes`, which caches nothing if that is 0.
    pub fn new(max_bytes: u64, tag_versions: TagVersions) -> Self {
        let evictions = Some(metrics::evictions(NAME));
        Self(Arc::new(Inner {
            store: Store::new(
                max_bytes,
                BYTES_PER_BUCKET,
                weigh,
                evictions,
                tag_versions.clone(),
            ),
            loads: SingleFlight::default(),
            tag_versions,
            lookups: Lookups::of(NAME),
            stale: metrics::result(NAME, "stale"),
            joined: metrics::result(NAME, "joined"),
        }))
    }

    pub fn is_enabled(&self) -> bool {
        self.0.store.is_enabled()
    }

    /// The cached answer, if it is fresh, or what `load` gives. Never older than `not_before`, which is after the wait for a
    /// position.
    ///
    /// Concurrent requests for a key share one load. `load` is called at most once. With `bypass_cache` the answer is
    /// loaded by this request.
    pub async fn get<L>(
        &self,
        key: &Key,
        not_before: Instant,
        bypass_cache: bool,
        load: impl Fn() -> L,
    ) -> Result<(CachedAnswer, Source), Error>
    where
        L: Future<Output = Result<LoadedAnswer, Error>>,
    {
        let inner = &*self.0;
        if !bypass_cache && let Some(entry) = inner.find(key, not_before) {
            inner.lookups.record(1, 0);
            return Ok((entry, Source::Cache));
        }
        inner.lookups.record(0, 1);
        // Boxed, so that the future of a cache hit has no room for the states of a load.
        let load = || Box::pin(load());
        if bypass_cache || !inner.store.is_enabled() {
            return inner.load(key, load()).await;
        }
        Box::pin(inner.load_or_join(key, not_before, load)).await
    }

    /// Weighs an entry again, after another encoding of it was made.
    pub fn reweigh(&self, key: Key, entry: &CachedAnswer) {
        let store = &self.0.store;
        if store
            .get(&key)
            .is_some_and(|cached| Arc::ptr_eq(&cached, entry))
        {
            store.insert(key, entry);
        }
    }

    pub(super) fn store(&self) -> &Store<Key, Answer> {
        &self.0.store
    }
}

impl Inner {
    fn find(&self, key: &Key, now: Instant) -> Option<CachedAnswer> {
        let entry = self.store.get(key)?;
        if self.store.is_fresh(&entry, now) {
            return Some(entry);
        }
        self.stale.increment(1);
        None
    }

    /// Loads, or takes the result of another request's load if it is not older than this request.
    async fn load_or_join<L>(
        &self,
        key: &Key,
        not_before: Instant,
        load: impl Fn() -> L,
    ) -> Result<(CachedAnswer, Source), Error>
    where
        L: Future<Output = Result<LoadedAnswer, Error>>,
    {
        loop {
            let mut own = None;
            let joined = self.loads.join(key, async {
                // Another load may have ended between the lookup and the join.
                if let Some(entry) = self.store.get_fresh(key, not_before) {
                    return Some(entry);
                }
                let loaded = own.insert(self.load(key, load()).await);
                loaded.as_ref().ok().map(|(entry, _)| Arc::clone(entry))
            });
            let joined = joined.await;
            if let Some(loaded) = own {
                return loaded;
            }
            let Some(entry) = joined else {
                // The other load failed. Each request finds out by itself what is wrong.
                return self.load(key, load()).await;
            };
            // A load that began before this request may have missed a change that this request must see. The next one
            // begins after this request.
            if entry.loaded_at >= not_before || self.store.is_fresh(&entry, Instant::now()) {
                self.joined.increment(1);
                return Ok((entry, Source::JoinedLoad));
            }
        }
    }

    async fn load(
        &self,
        key: &Key,
        load: impl Future<Output = Result<LoadedAnswer, Error>>,
    ) -> Result<(CachedAnswer, Source), Error> {
        let (version, loaded_at) = (self.tag_versions.current(), Instant::now());
        // Whoever has read at a position that something is gone does not get it from the cache afterwards.
        let LoadedAnswer { answer, slots } = load.await.inspect_err(|error| {
            if matches!(error, Error::NotFound(_)) {
                self.store.remove(key);
            }
        })?;
        let entry = CacheEntry::new(answer, slots, version, loaded_at);
        self.store.insert(key.clone(), &entry);
        Ok((entry, Source::Load(loaded_at.elapsed())))
    }
}

fn weigh(key: &Key, entry: &CacheEntry<Answer>) -> usize {
    let seek = key.seek.as_ref().map_or(0, |seek| seek.len());
    key.path.len() + seek + entry.slots_size() + entry.value.size()
}

impl fmt::Debug for AnswerCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnswerCache")
    }
}
