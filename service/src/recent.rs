//! Recently used entries of a cache, found without the bookkeeping of moka.
//!
//! moka records every lookup, to know what to evict: 0.4 to 0.5 µs each, where the lookup itself takes a tenth. This table
//! answers most lookups, and lets only some reach moka: the first uses of an entry, then one in 16. What is used often is
//! therefore still known as used often.
//!
//! The table holds no values. Its references are weak, so an entry that moka evicts is gone. Each key has one place, in
//! which the key that was used last replaces the one before, as in a direct-mapped cache of a processor.

use std::{
    fmt,
    hash::{BuildHasher, Hash},
    sync::{Arc, Mutex, PoisonError, Weak},
};

use foldhash::fast::RandomState;

/// Of this many lookups of an entry, one reaches moka.
const RECORDED: u32 = 16;

/// Where the entries of some keys have room for one.
type Place<K, V> = Mutex<Option<Recent<K, V>>>;

struct Recent<K, V> {
    key: K,
    entry: Weak<V>,
    uses: u32,
}

/// Weak references to values, by key.
pub struct RecentEntries<K, V> {
    places: Box<[Place<K, V>]>,
    hasher: RandomState,
}

impl<K, V> fmt::Debug for RecentEntries<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecentEntries")
    }
}

impl<K: Eq + Hash, V> RecentEntries<K, V> {
    /// Without places it has no entries.
    pub fn new(places: usize) -> Self {
        Self {
            places: (0..places).map(|_| Mutex::default()).collect(),
            hasher: RandomState::default(),
        }
    }

    /// The entry, unless it is not here or moka must record its use.
    pub fn get(&self, key: &K) -> Option<Arc<V>> {
        let mut place = self
            .place(key)?
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let recent = place.as_mut().filter(|recent| recent.key == *key)?;
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
        let Some(place) = self.place(key) else {
            return;
        };
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *place {
            Some(recent) if recent.key == *key => recent.entry = Arc::downgrade(entry),
            place => {
                *place = Some(Recent {
                    key: key.clone(),
                    entry: Arc::downgrade(entry),
                    uses: 0,
                });
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn clear(&self) {
        for place in &self.places {
            *place.lock().unwrap() = None;
        }
    }

    fn place(&self, key: &K) -> Option<&Place<K, V>> {
        let place = self
            .hasher
            .hash_one(key)
            .checked_rem(self.places.len() as u64)?;
        self.places.get(place as usize)
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
    fn keys_that_share_a_place_replace_each_other() {
        let recent = RecentEntries::new(1);
        let (one, two) = (Arc::new(1), Arc::new(2));
        recent.insert(&1, &one);
        recent.insert(&2, &two);
        assert!((0..20).all(|_| recent.get(&1).is_none()));
        assert!((0..20).any(|_| recent.get(&2).is_some()));
    }

    #[test]
    fn without_places_nothing_is_found() {
        let recent = RecentEntries::new(0);
        recent.insert(&1, &Arc::new(1));
        assert!((0..20).all(|_| recent.get(&1).is_none()));
    }
}
