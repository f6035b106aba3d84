//! Recently used entries: a table of weak references, by key.
//!
//! An entry that moka has evicted is found here only while somebody else still holds it. Its allocation stays until the
//! bucket is reused, without what it points to. Each key has one bucket, in which a key replaces another, as in a
//! direct-mapped cache of a processor.

use std::{
    hash::{BuildHasher, Hash},
    sync::{Arc, Mutex, PoisonError, Weak},
};

use foldhash::fast::RandomState;

/// After its first uses, one in this many uses of an entry reaches moka.
const RECORDED: u32 = 16;

/// Room for one of the keys that share it.
type Bucket<K, V> = Mutex<Option<Recent<K, V>>>;

struct Recent<K, V> {
    key: K,
    entry: Weak<V>,
    uses: u32,
}

pub struct RecentEntries<K, V> {
    buckets: Box<[Bucket<K, V>]>,
    hasher: RandomState,
}

impl<K: Eq + Hash, V> RecentEntries<K, V> {
    /// With 0 buckets, nothing is ever found.
    pub fn new(buckets: usize) -> Self {
        Self {
            buckets: (0..buckets).map(|_| Mutex::default()).collect(),
            hasher: RandomState::default(),
        }
    }

    /// What the table takes at most, in bytes, with the allocations of evicted entries.
    pub fn max_bytes(&self) -> usize {
        self.buckets.len() * (size_of::<Bucket<K, V>>() + size_of::<V>())
    }

    /// The entry, unless it is not here or moka must record its use.
    pub fn get(&self, key: &K) -> Option<Arc<V>> {
        let mut bucket = self
            .bucket(key)?
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let recent = bucket.as_mut().filter(|recent| recent.key == *key)?;
        recent.uses = recent.uses.wrapping_add(1);
        if recent.uses.is_power_of_two() || recent.uses.is_multiple_of(RECORDED) {
            return None;
        }
        recent.entry.upgrade()
    }

    /// Adds an entry, in place of another one.
    pub fn insert(&self, key: &K, entry: &Arc<V>)
    where
        K: Clone,
    {
        let Some(bucket) = self.bucket(key) else {
            return;
        };
        let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *bucket {
            Some(recent) if recent.key == *key => recent.entry = Arc::downgrade(entry),
            bucket => {
                *bucket = Some(Recent {
                    key: key.clone(),
                    entry: Arc::downgrade(entry),
                    uses: 0,
                });
            }
        }
    }

    pub fn remove(&self, key: &K) {
        if let Some(bucket) = self.bucket(key) {
            let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
            bucket.take_if(|recent| recent.key == *key);
        }
    }

    /// Removes the entries for which `keep` returns false.
    pub fn retain(&self, keep: impl Fn(&V) -> bool) {
        for bucket in &self.buckets {
            let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
            bucket.take_if(|recent| !recent.entry.upgrade().is_some_and(|entry| keep(&entry)));
        }
    }

    fn bucket(&self, key: &K) -> Option<&Bucket<K, V>> {
        let index = self
            .hasher
            .hash_one(key)
            .checked_rem(self.buckets.len() as u64)?;
        self.buckets.get(index as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_uses_and_one_in_16_are_for_moka() {
        let recent = RecentEntries::new(8);
        let entry = Arc::new(7);
        recent.insert(&1, &entry);
        let recorded: Vec<u32> = (1..=64).filter(|_| recent.get(&1).is_none()).collect();
        assert_eq!(recorded, [1, 2, 4, 8, 16, 32, 48, 64]);
        // Who then finds it in moka inserts it again, and the count goes on.
        recent.insert(&1, &entry);
        assert_eq!(recent.get(&1).as_deref(), Some(&7));
    }

    #[test]
    fn an_evicted_entry_is_gone() {
        let recent = RecentEntries::new(8);
        let entry = Arc::new(7);
        recent.insert(&1, &entry);
        while recent.get(&1).is_none() {}
        drop(entry);
        assert_eq!(recent.get(&1), None);
    }

    #[test]
    fn keys_that_share_a_bucket_replace_each_other() {
        let recent = RecentEntries::new(1);
        let (one, two) = (Arc::new(1), Arc::new(2));
        recent.insert(&1, &one);
        recent.insert(&2, &two);
        assert!((0..20).all(|_| recent.get(&1).is_none()));
        assert!((0..20).any(|_| recent.get(&2).is_some()));
    }

    #[test]
    fn without_buckets_nothing_is_found() {
        let recent = RecentEntries::new(0);
        recent.insert(&1, &Arc::new(1));
        assert!((0..20).all(|_| recent.get(&1).is_none()));
    }
}
