//! A bounded store of values, each valid until something that it depends on changes.
//!
//! Changes remove nothing from the store. An entry is checked when it is used, and the next load replaces it. So there
//! is no order of a change, the end of a load and a lookup that could go wrong.

use std::{
    fmt,
    hash::Hash,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use feedmill_service::bounded_cache::BoundedCache;
use metrics::Counter;

use super::caches::Size;
use crate::freshness::tag_versions::{Slot, TagVersions};

/// No entry is used for longer, in case a change was never announced.
pub const MAX_AGE: Duration = Duration::from_mins(10);

/// A value, what it depends on, and when it was loaded.
#[derive(Debug)]
pub struct CacheEntry<V> {
    pub value: V,
    /// Of the tags that the value depends on.
    slots: Box<[Slot]>,
    /// The version of [`TagVersions`] before the load.
    version: u64,
    /// The version at the last successful check.
    checked: AtomicU64,
    /// When it was loaded.
    pub loaded_at: Instant,
}

impl<V> CacheEntry<V> {
    /// A value that depends on `slots` and whose load began at `version` or later. It is used for [`MAX_AGE`] from
    /// `loaded_at`, which is before the load where other requests may join it.
    pub fn new(
        value: V,
        slots: impl Into<Box<[Slot]>>,
        version: u64,
        loaded_at: Instant,
    ) -> Arc<Self> {
        Arc::new(Self {
            value,
            slots: slots.into(),
            version,
            checked: AtomicU64::new(version),
            loaded_at,
        })
    }

    /// Whether a load would give the same value `now`.
    pub fn is_fresh(&self, tag_versions: &TagVersions, now: Instant) -> bool {
        let (checked, current) = (self.checked.load(Ordering::Relaxed), tag_versions.current());
        let fresh = tag_versions.unchanged_since_check(self.version, checked, &self.slots)
            && now.saturating_duration_since(self.loaded_at) < MAX_AGE;
        if fresh && checked != current {
            self.checked.store(current, Ordering::Relaxed);
        }
        fresh
    }

    /// The bytes of the slots. The other bytes of an entry depend on its value.
    pub fn slots_size(&self) -> usize {
        size_of_val(&*self.slots)
    }
}

/// Entries up to a number of bytes. The cache does not expire them.
pub struct Store<K, V> {
    entries: BoundedCache<K, CacheEntry<V>>,
    tag_versions: TagVersions,
    enabled: bool,
}

impl<K, V> Store<K, V>
where
    K: Eq + Hash + Clone + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    /// A store of up to `max_bytes`, which stores nothing if that is 0. The other arguments are those of
    /// [`BoundedCache::new`].
    pub fn new(
        max_bytes: u64,
        bytes_per_bucket: u64,
        weigh: fn(&K, &CacheEntry<V>) -> usize,
        evictions: Option<Counter>,
        tag_versions: TagVersions,
    ) -> Self {
        Self {
            entries: BoundedCache::new(max_bytes, bytes_per_bucket, weigh, evictions),
            tag_versions,
            enabled: max_bytes > 0,
        }
    }

    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// The entry, fresh or not.
    pub fn get(&self, key: &K) -> Option<Arc<CacheEntry<V>>> {
        self.entries.get(key)
    }

    /// The entry, if it is fresh `now`.
    pub fn get_fresh(&self, key: &K, now: Instant) -> Option<Arc<CacheEntry<V>>> {
        self.get(key).filter(|entry| self.is_fresh(entry, now))
    }

    pub fn is_fresh(&self, entry: &CacheEntry<V>, now: Instant) -> bool {
        entry.is_fresh(&self.tag_versions, now)
    }

    /// Stores a fresh entry, in place of the key's entry before. Does nothing with a stale one.
    pub fn insert(&self, key: K, entry: &Arc<CacheEntry<V>>) {
        if self.enabled && self.is_fresh(entry, Instant::now()) {
            self.entries.insert(key, entry);
        }
    }

    /// Removes the entry of what is no longer there, before its change is announced.
    pub fn remove(&self, key: &K) {
        self.entries.remove(key);
    }
}

/// What operators see of a cache, and do with it.
pub trait CacheKind {
    fn size(&self) -> Size;
    fn clear(&self);
    fn remove_stale(&self);
}

impl<K, V> CacheKind for Store<K, V>
where
    K: Eq + Hash + Clone + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    fn size(&self) -> Size {
        self.entries.run_pending_tasks();
        Size {
            entries: self.entries.entry_count(),
            bytes: self.entries.bytes(),
        }
    }

    fn clear(&self) {
        self.entries.clear();
    }

    fn remove_stale(&self) {
        let now = Instant::now();
        self.entries.retain(|entry| self.is_fresh(entry, now));
    }
}

impl<K, V> fmt::Debug for Store<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Store")
    }
}

#[cfg(test)]
mod tests {
    use feedmill_events::Tag;
    use uuid::Uuid;

    use super::*;

    fn tag(number: u64) -> Tag {
        Tag::post(Uuid::from_u128(number.into()))
    }

    /// A store of values that weigh what they say.
    fn store(max_bytes: u64) -> Store<u64, AtomicU64> {
        let tag_versions = TagVersions::default();
        tag_versions.set_subscribed(true);
        let weigh =
            |_: &u64, entry: &CacheEntry<AtomicU64>| entry.value.load(Ordering::Relaxed) as usize;
        Store::new(max_bytes, 10_000, weigh, None, tag_versions)
    }

    fn insert(store: &Store<u64, AtomicU64>, key: u64, bytes: u64) -> Arc<CacheEntry<AtomicU64>> {
        let entry = CacheEntry::new(
            AtomicU64::new(bytes),
            [tag(key).into()],
            store.tag_versions.current(),
            Instant::now(),
        );
        store.insert(key, &entry);
        entry
    }

    #[test]
    fn an_entry_is_fresh_until_it_changes_or_is_too_old() {
        let store = store(1 << 20);
        let (one, _) = (insert(&store, 1, 100), insert(&store, 2, 100));
        let now = Instant::now();
        assert!(store.get_fresh(&1, now).is_some());
        assert!(store.get_fresh(&1, one.loaded_at + MAX_AGE).is_none());
        store.tag_versions.mark_changed(&[tag(2)]);
        assert!(store.get_fresh(&1, now).is_some() && store.get_fresh(&2, now).is_none());
        store.tag_versions.mark_changed(&[tag(1)]);
        assert!(store.get_fresh(&1, now).is_none() && store.get(&1).is_some());
        store.insert(1, &one);
        assert!(store.get_fresh(&1, now).is_none(), "stale, not inserted");
        insert(&store, 1, 100);
        assert!(store.get_fresh(&1, now).is_some(), "loaded since");
        store.tag_versions.set_subscribed(false);
        assert!(store.get_fresh(&1, now).is_none());
    }

    #[test]
    fn the_entries_together_weigh_at_most_the_maximum() {
        let store = store(100_000);
        for key in 0..5_000 {
            insert(&store, key, 100);
        }
        let Size { entries, bytes } = store.size();
        assert!(bytes <= 100_000 && bytes > 90_000 && entries > 900);
        insert(&store, 5_000, 100_001);
        store.size();
        assert!(store.get(&5_000).is_none(), "too large");
    }

    #[test]
    fn an_entry_that_has_grown_is_weighed_again_when_it_is_inserted_again() {
        let store = store(1 << 20);
        let entry = insert(&store, 1, 100);
        entry.value.store(300, Ordering::Relaxed);
        store.insert(1, &entry);
        let size = Size {
            entries: 1,
            bytes: 300,
        };
        assert_eq!(store.size(), size);
    }

    #[test]
    fn an_operator_removes_what_is_stale_or_everything() {
        let store = store(1 << 20);
        let held = [1, 2, 3].map(|key| insert(&store, key, 100));
        store.tag_versions.mark_changed(&[tag(2)]);
        store.remove_stale();
        let cached = |key| store.get(&key).is_some();
        assert_eq!([1, 2, 3].map(cached), [true, false, true]);
        assert_eq!(store.size().entries, 2);
        store.clear();
        assert_eq!([1, 2, 3].map(cached), [false; 3], "although it is in use");
        assert_eq!(store.size().bytes, 0);
        drop(held);
    }

    #[test]
    fn a_store_of_no_bytes_stores_nothing() {
        let store = store(0);
        insert(&store, 1, 0);
        assert!(!store.is_enabled() && store.get(&1).is_none());
    }
}
