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
    started: Instant,
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

    pub fn started(&self) -> Instant {
        self.started
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

    pub fn find_good<Q: Hash + Equivalent<K> + ?Sized>(&self, key: &Q) -> Option<Arc<Kept<V>>> {
        self.find(key).filter(|kept| self.is_good(kept))
    }

    /// Whether it is what a load would give now.
    pub fn is_good(&self, kept: &Kept<V>) -> bool {
        let (looked, now) = (kept.found_good.load(Ordering::Relaxed), self.changes.now());
        let slots = kept.value.slots();
        let good = self.changes.unchanged_still(kept.began, looked, slots)
            && kept.started.elapsed() < TIME_TO_LIVE;
        if good && looked != now {
            kept.found_good.store(now, Ordering::Relaxed);
        }
        good
    }

    /// Keeps it, if it is good: what is not would only take another's place. `bytes` is what it takes with its key.
    pub fn keep(&self, key: K, kept: &Arc<Kept<V>>, bytes: usize) {
        if self.is_good(kept) {
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
