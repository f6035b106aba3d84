//! The rows of one table, as one batch of commands sees them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::Hash,
    mem,
};

/// A unit of work on one table: the keys that commands request, the rows that were loaded for them, and the net
/// changes of the batch's events. A later command of the batch sees the changes of the earlier ones.
///
/// A stored row must have been requested and loaded before it is changed; a row that was not loaded counts as new.
#[derive(Debug)]
pub struct Table<K, V> {
    requested: BTreeSet<K>,
    rows: HashMap<K, V>,
    /// The keys that were changed, and whether a row was stored under them before the batch.
    changed: BTreeMap<K, bool>,
}

/// The net changes of a batch, each list in the order of its keys.
#[derive(Debug, PartialEq, Eq)]
pub struct Changes<K, V> {
    pub inserted: Vec<(K, V)>,
    pub updated: Vec<(K, V)>,
    pub removed: Vec<K>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self {
            requested: BTreeSet::new(),
            rows: HashMap::new(),
            changed: BTreeMap::new(),
        }
    }
}

impl<K: Ord + Hash + Clone, V> Table<K, V> {
    /// Asks for a row to be loaded.
    pub fn request(&mut self, key: K) {
        self.requested.insert(key);
    }

    /// The keys that were requested since the last call, in order.
    pub fn take_requested(&mut self) -> Vec<K> {
        mem::take(&mut self.requested).into_iter().collect()
    }

    /// Takes a stored row.
    pub fn load(&mut self, key: K, value: V) {
        debug_assert!(
            !self.changed.contains_key(&key),
            "a row is loaded before it is changed"
        );
        self.rows.insert(key, value);
    }

    pub fn get(&self, key: &K) -> Option<&V> {
        self.rows.get(key)
    }

    pub fn insert(&mut self, key: K, value: V) {
        let stored = self.rows.insert(key.clone(), value).is_some();
        self.changed.entry(key).or_insert(stored);
    }

    pub fn remove(&mut self, key: &K) {
        let stored = self.rows.remove(key).is_some();
        self.changed.entry(key.clone()).or_insert(stored);
    }

    /// The changes to save. A row that was inserted and removed within the batch is not in it.
    pub fn into_changes(mut self) -> Changes<K, V> {
        let mut changes = Changes {
            inserted: Vec::new(),
            updated: Vec::new(),
            removed: Vec::new(),
        };
        for (key, stored) in self.changed {
            match (self.rows.remove(&key), stored) {
                (Some(value), false) => changes.inserted.push((key, value)),
                (Some(value), true) => changes.updated.push((key, value)),
                (None, true) => changes.removed.push(key),
                (None, false) => {}
            }
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_net() {
        let mut table = Table::default();
        for key in [1, 2, 3, 4] {
            table.load(key, "stored");
        }
        table.insert(2, "changed");
        table.insert(2, "changed again");
        table.remove(&3);
        table.remove(&4);
        table.insert(4, "back");
        table.insert(5, "new");
        table.insert(6, "new");
        table.remove(&6);
        assert_eq!(table.get(&2), Some(&"changed again"));
        assert_eq!(table.get(&3), None);
        let expected = Changes {
            inserted: vec![(5, "new")],
            updated: vec![(2, "changed again"), (4, "back")],
            removed: vec![3],
        };
        assert_eq!(table.into_changes(), expected);
    }

    #[test]
    fn a_key_is_requested_once() {
        let mut table: Table<u8, ()> = Table::default();
        for key in [2, 1, 2] {
            table.request(key);
        }
        assert_eq!(table.take_requested(), [1, 2]);
        assert!(table.take_requested().is_empty());
    }
}
