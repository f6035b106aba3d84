//! The net changes of a batch to a set whose members come and go.

use std::collections::BTreeMap;

/// For each key that a batch touches: whether it was a member before the batch, and its value after it. The log
/// alternates (nobody likes a post twice without unliking it), so the key's first event tells the former and its last
/// event the latter. Iterators yield keys in ascending order, so that all transactions lock rows in the same order.
#[derive(Debug)]
pub struct Net<K, V = ()>(BTreeMap<K, Change<V>>);

#[derive(Debug)]
struct Change<V> {
    was_member: bool,
    value: Option<V>,
}

impl<K, V> Default for Net<K, V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord + Copy, V> Net<K, V> {
    /// Notes that the key becomes a member with this value.
    pub fn start(&mut self, key: K, value: V) {
        self.0
            .entry(key)
            .or_insert(Change {
                was_member: false,
                value: None,
            })
            .value = Some(value);
    }

    /// Notes that the key is no longer a member.
    pub fn stop(&mut self, key: K) {
        self.0
            .entry(key)
            .or_insert(Change {
                was_member: true,
                value: None,
            })
            .value = None;
    }

    /// Forgets the keys for which `keep` is false: their rows are deleted by other means.
    pub fn retain(&mut self, keep: impl Fn(K) -> bool) {
        self.0.retain(|key, _| keep(*key));
    }

    /// The keys that the batch adds.
    pub fn started(&self) -> impl Iterator<Item = K> {
        self.0
            .iter()
            .filter(|(_, change)| !change.was_member && change.value.is_some())
            .map(|(key, _)| *key)
    }

    /// The keys that the batch removes.
    pub fn stopped(&self) -> impl Iterator<Item = K> {
        self.0
            .iter()
            .filter(|(_, change)| change.was_member && change.value.is_none())
            .map(|(key, _)| *key)
    }

    /// The keys that the batch adds, removes, or gives another value.
    pub fn changed(&self) -> impl Iterator<Item = K> {
        self.0
            .iter()
            .filter(|(_, change)| change.was_member || change.value.is_some())
            .map(|(key, _)| *key)
    }

    /// The keys whose value before the batch is gone: removed, or replaced by another value.
    pub fn ended(&self) -> impl Iterator<Item = K> {
        self.0
            .iter()
            .filter(|(_, change)| change.was_member)
            .map(|(key, _)| *key)
    }

    /// The keys that the batch adds or gives another value, with their values.
    pub fn current(&self) -> impl Iterator<Item = (K, &V)> {
        self.0
            .iter()
            .filter_map(|(key, change)| Some((*key, change.value.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_and_the_last_event_of_a_key_count() {
        let mut net = Net::default();
        net.start(1, 'a');
        net.start(2, 'b');
        net.stop(2);
        net.stop(3);
        net.stop(4);
        net.start(4, 'd');
        assert_eq!(net.started().collect::<Vec<_>>(), [1]);
        assert_eq!(net.stopped().collect::<Vec<_>>(), [3]);
        assert_eq!(net.changed().collect::<Vec<_>>(), [1, 3, 4]);
        assert_eq!(net.ended().collect::<Vec<_>>(), [3, 4]);
        assert_eq!(net.current().collect::<Vec<_>>(), [(1, &'a'), (4, &'d')]);
    }
}
