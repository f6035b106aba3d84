//! Net changes to a set whose members come and go.

use std::collections::BTreeMap;

/// For each key that a batch touches: whether it was there before the batch, and its value after it. The
/// log alternates (nobody likes a post twice without taking it back), so the first event tells the former
/// and the last event the latter. Keys come out in order, so that every transaction locks in one order.
#[derive(Debug)]
pub struct Net<K, V = ()>(BTreeMap<K, Change<V>>);

#[derive(Debug)]
struct Change<V> {
    was: bool,
    now: Option<V>,
}

impl<K, V> Default for Net<K, V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord + Copy, V> Net<K, V> {
    pub fn start(&mut self, key: K, value: V) {
        self.0
            .entry(key)
            .or_insert(Change {
                was: false,
                now: None,
            })
            .now = Some(value);
    }

    pub fn stop(&mut self, key: K) {
        self.0
            .entry(key)
            .or_insert(Change {
                was: true,
                now: None,
            })
            .now = None;
    }

    pub fn retain(&mut self, keep: impl Fn(K) -> bool) {
        self.0.retain(|key, _| keep(*key));
    }

    /// Not there before, there now.
    pub fn started(&self) -> impl Iterator<Item = K> {
        self.0
            .iter()
            .filter(|(_, change)| !change.was && change.now.is_some())
            .map(|(key, _)| *key)
    }

    /// There before, not there now.
    pub fn stopped(&self) -> impl Iterator<Item = K> {
        self.0
            .iter()
            .filter(|(_, change)| change.was && change.now.is_none())
            .map(|(key, _)| *key)
    }

    /// There before or after, and not with the value of before.
    pub fn changed(&self) -> impl Iterator<Item = K> {
        self.0
            .iter()
            .filter(|(_, change)| change.was || change.now.is_some())
            .map(|(key, _)| *key)
    }

    /// There before: gone, or there again with another value.
    pub fn ended(&self) -> impl Iterator<Item = K> {
        self.0
            .iter()
            .filter(|(_, change)| change.was)
            .map(|(key, _)| *key)
    }

    /// There now, and not with the value of before.
    pub fn current(&self) -> impl Iterator<Item = (K, &V)> {
        self.0
            .iter()
            .filter_map(|(key, change)| Some((*key, change.now.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_and_the_last_event_count() {
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
