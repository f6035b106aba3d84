//! A cache with a maximum size in bytes.
//!
//! moka counts the bytes and selects what is evicted (W-TinyLFU). It records every lookup, which takes 0.35 to 0.5 µs. So
//! [`recent`] answers most lookups before moka and lets only some reach it: the 1st, 2nd, 4th and 8th use of an entry, and
//! every 16th. Entries that are used often are still known to moka as such.

mod recent;

use std::{fmt, hash::Hash, sync::Arc};

use foldhash::fast::RandomState;
use metrics::Counter;
use moka::sync::Cache;

use self::recent::RecentEntries;

/// What moka takes for an entry besides its key and value, measured with 200,000 entries. For `weigh`.
pub const MOKA_ENTRY_BYTES: usize = 330;

pub struct BoundedCache<K, V> {
    entries: Cache<K, Arc<V>, RandomState>,
    recent: RecentEntries<K, V>,
}

impl<K, V> BoundedCache<K, V>
where
    K: Eq + Hash + Clone + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    /// A cache of up to `max_bytes`. `weigh` gives the bytes of an entry and is called when it is inserted. For each
    /// `bytes_per_bucket` of the cache there is a place for a recently used entry, so this should be about the size of
    /// an entry, or more to save memory. `evictions` counts the entries that were removed to make room.
    pub fn new(
        max_bytes: u64,
        bytes_per_bucket: u64,
        weigh: fn(&K, &V) -> usize,
        evictions: Option<Counter>,
    ) -> Self {
        let recent = RecentEntries::new((max_bytes / bytes_per_bucket) as usize);
        let max_weight = max_bytes.saturating_sub(recent.max_bytes() as u64);
        let mut builder =
            Cache::builder()
                .max_capacity(max_weight)
                .weigher(move |key: &K, value: &Arc<V>| {
                    u32::try_from(weigh(key, value)).unwrap_or(u32::MAX)
                });
        if let Some(evictions) = evictions {
            builder = builder.eviction_listener(move |_, _, cause| {
                evictions.increment(cause.was_evicted().into());
            });
        }
        Self {
            entries: builder.build_with_hasher(RandomState::default()),
            recent,
        }
    }

    pub fn get(&self, key: &K) -> Option<Arc<V>> {
        self.recent.get(key).or_else(|| {
            let value = self.entries.get(key)?;
            self.recent.insert(key, &value);
            Some(value)
        })
    }

    /// Inserts an entry, or replaces and weighs it again.
    pub fn insert(&self, key: K, value: &Arc<V>) {
        self.recent.insert(&key, value);
        self.entries.insert(key, Arc::clone(value));
    }

    pub fn remove(&self, key: &K) {
        self.recent.remove(key);
        self.entries.invalidate(key);
    }

    /// The number of entries. Approximate: moka updates it in batches.
    pub fn entry_count(&self) -> u64 {
        self.entries.entry_count()
    }

    /// The bytes of all entries. Approximate, as [`entry_count`](Self::entry_count).
    pub fn bytes(&self) -> u64 {
        self.entries.weighted_size()
    }

    /// Makes [`entry_count`](Self::entry_count) and [`bytes`](Self::bytes) exact.
    pub fn run_pending_tasks(&self) {
        self.entries.run_pending_tasks();
    }

    pub fn clear(&self) {
        self.entries.invalidate_all();
        self.recent.retain(|_| false);
    }

    /// Removes the entries for which `keep` returns false. Looks at every entry.
    pub fn retain(&self, keep: impl Fn(&V) -> bool) {
        self.recent.retain(&keep);
        for (key, value) in &self.entries {
            if !keep(&value) {
                self.entries.invalidate(&*key);
            }
        }
    }
}

impl<K, V> fmt::Debug for BoundedCache<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoundedCache")
    }
}
