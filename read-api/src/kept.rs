//! What is kept in memory, each value for as long as nothing that it is made of has changed.
//!
//! Nothing is taken out because it is no longer good: that shows when it is looked at ([`Changes`]), and what is kept
//! next takes its place. So there is no order of a change, a load's end and a look that could go wrong.

use std::{
    fmt,
    hash::Hash,
    marker::PhantomData,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use metrics::Counter;
use quick_cache::{DefaultHashBuilder, Equivalent, Lifecycle, Weighter, sync::Cache};

use crate::changes::{Changes, Slot};

/// Nothing is good for longer, even if no change is heard of: the belt to the braces.
pub const TIME_TO_LIVE: Duration = Duration::from_mins(10);

/// What can be kept.
pub trait Keep {
    /// Of all that it is made of.
    fn slots(&self) -> &[Slot];
}

/// A value, and from when it is.
#[derive(Debug)]
pub struct Kept<V> {
    pub value: V,
    /// The clock of [`Changes`] before its load.
    began: u64,
    /// The same moment, by the clock on the wall: it goes on while changes are not heard of.
    pub started: Instant,
    /// The clock of [`Changes`] when it was last found good.
    found_good: AtomicU64,
}

impl<V> Kept<V> {
    /// Loaded when the clock of [`Changes`] was `began`, or later.
    pub fn new(value: V, began: u64, started: Instant) -> Self {
        Self {
            value,
            began,
            started,
            found_good: AtomicU64::new(began),
        }
    }
}

/// Keeps values up to a number of bytes: those that are asked for often (Clock-PRO).
pub struct Store<K, V> {
    entries: Cache<K, Entry<V>, Bytes, DefaultHashBuilder, Evictions<K, V>>,
    changes: Changes,
}

/// A weight must not change while it is in the store.
struct Entry<V> {
    kept: Arc<Kept<V>>,
    bytes: u64,
}

impl<K: Eq + Hash, V: Keep> Store<K, V> {
    /// Keeps up to `max_bytes`, of values that take `usual` bytes each, roughly, and counts those that had to go.
    pub fn new(max_bytes: u64, usual: u64, evictions: Counter, changes: Changes) -> Self {
        let evictions = Evictions(evictions, PhantomData);
        Self {
            entries: Cache::with(
                (max_bytes / usual) as usize,
                max_bytes,
                Bytes,
                DefaultHashBuilder::default(),
                evictions,
            ),
            changes,
        }
    }

    /// Good or not.
    pub fn find<Q: Hash + Equivalent<K> + ?Sized>(&self, key: &Q) -> Option<Arc<Kept<V>>> {
        self.entries.get(key).map(|entry| entry.kept)
    }

    /// One that is good `now`.
    pub fn find_good<Q: Hash + Equivalent<K> + ?Sized>(
        &self,
        key: &Q,
        now: Instant,
    ) -> Option<Arc<Kept<V>>> {
        self.find(key).filter(|kept| self.is_good(kept, now))
    }

    /// Whether it is what a load would give `now`.
    pub fn is_good(&self, kept: &Kept<V>, now: Instant) -> bool {
        let (looked, clock) = (kept.found_good.load(Ordering::Relaxed), self.changes.now());
        let slots = kept.value.slots();
        let good = self.changes.unchanged_still(kept.began, looked, slots)
            && now.saturating_duration_since(kept.started) < TIME_TO_LIVE;
        if good && looked != clock {
            kept.found_good.store(clock, Ordering::Relaxed);
        }
        good
    }

    /// Keeps it, if it is good: what is not would only take another's place. `bytes` is what it takes with its key.
    pub fn keep(&self, key: K, kept: &Arc<Kept<V>>, bytes: usize) {
        if self.is_good(kept, Instant::now()) {
            let (kept, bytes) = (Arc::clone(kept), bytes as u64);
            self.entries.insert(key, Entry { kept, bytes });
        }
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn bytes(&self) -> u64 {
        self.entries.weight()
    }
}

impl<V> Clone for Entry<V> {
    fn clone(&self) -> Self {
        Self {
            kept: Arc::clone(&self.kept),
            bytes: self.bytes,
        }
    }
}

impl<K, V> fmt::Debug for Store<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Store")
    }
}

#[derive(Clone)]
struct Bytes;

impl<K, V> Weighter<K, Entry<V>> for Bytes {
    fn weight(&self, _: &K, entry: &Entry<V>) -> u64 {
        entry.bytes
    }
}

struct Evictions<K, V>(Counter, PhantomData<(K, V)>);

impl<K, V> Clone for Evictions<K, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<K, V> Lifecycle<K, Entry<V>> for Evictions<K, V> {
    /// Freed when the store is no longer locked.
    type RequestState = Vec<(K, Entry<V>)>;

    fn on_evict(&self, evicted: &mut Self::RequestState, key: K, entry: Entry<V>) {
        self.0.increment(1);
        evicted.push((key, entry));
    }
}

#[cfg(test)]
mod tests {
    use feedmill_events::Tag;
    use uuid::Uuid;

    use super::*;

    #[derive(Debug)]
    struct Name(Slot);

    impl Keep for Name {
        fn slots(&self) -> &[Slot] {
            std::slice::from_ref(&self.0)
        }
    }

    fn tag(number: u32) -> Tag {
        Tag::account_summary(Uuid::from_u128(number.into()))
    }

    fn store(max_bytes: u64) -> Store<u32, Name> {
        let changes = Changes::default();
        changes.set_hearing(true);
        Store::new(max_bytes, 100, Counter::noop(), changes)
    }

    fn keep(store: &Store<u32, Name>, number: u32, bytes: usize) -> Arc<Kept<Name>> {
        let name = Name(Changes::slot(tag(number)));
        let kept = Arc::new(Kept::new(name, store.changes.now(), Instant::now()));
        store.keep(number, &kept, bytes);
        kept
    }

    #[test]
    fn a_value_is_good_until_it_changes_or_is_old() {
        let store = store(1 << 20);
        let (one, _) = (keep(&store, 1, 100), keep(&store, 2, 100));
        let now = Instant::now();
        assert!(store.find_good(&1, now).is_some());
        assert!(store.find_good(&1, one.started + TIME_TO_LIVE).is_none());
        store.changes.these(&[tag(2)]);
        assert!(store.find_good(&1, now).is_some() && store.find_good(&2, now).is_none());
        store.changes.these(&[tag(1)]);
        assert!(store.find_good(&1, now).is_none() && store.find(&1).is_some());
        store.keep(1, &one, 100);
        assert!(store.find_good(&1, now).is_none(), "not kept again");
        keep(&store, 1, 100);
        assert!(store.find_good(&1, now).is_some(), "loaded since");
        store.changes.set_hearing(false);
        assert!(store.find_good(&1, now).is_none());
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let store = store(100_000);
        for number in 0..5_000 {
            keep(&store, number, 100);
            assert!(store.bytes() <= 100_000);
        }
        assert!(store.bytes() > 90_000 && store.len() > 900);
        keep(&store, 5_000, 100_001);
        assert!(store.find(&5_000).is_none(), "too large");
    }

    #[test]
    fn what_has_grown_counts_as_what_it_is() {
        let store = store(1 << 20);
        let kept = keep(&store, 1, 100);
        store.keep(1, &kept, 300);
        assert_eq!((store.len(), store.bytes()), (1, 300));
    }
}
