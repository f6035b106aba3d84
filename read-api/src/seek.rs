//! Where in a list a page is.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// The position of a page in the order of its list, by the keys of items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seek<K> {
    /// The first items.
    Start,
    /// The items that follow this one.
    After(K),
    /// The items that precede this one: the last of them.
    Before(K),
}

impl<K> Seek<K> {
    pub fn map<T>(self, map: impl FnOnce(K) -> T) -> Seek<T> {
        match self {
            Self::Start => Seek::Start,
            Self::After(key) => Seek::After(map(key)),
            Self::Before(key) => Seek::Before(map(key)),
        }
    }

    /// The key that the page is next to; None for the first page.
    pub fn key(self) -> Option<K> {
        match self {
            Self::Start => None,
            Self::After(key) | Self::Before(key) => Some(key),
        }
    }
}

impl<K: Copy> Seek<K> {
    /// The two keys of a statement with a branch for each direction: one lists what follows the first key, the other the
    /// last items that precede the second. One of the branches is always empty, which costs one look at an index.
    ///
    /// `start` precedes every item of the list, and `end` follows every item.
    fn bounds(self, start: K, end: K) -> (K, K) {
        match self {
            Self::Start => (start, start),
            Self::After(key) => (key, start),
            Self::Before(key) => (end, key),
        }
    }
}

impl Seek<Uuid> {
    /// The bounds in a list in ascending order of ids.
    pub fn ascending(self) -> (Uuid, Uuid) {
        self.bounds(Uuid::nil(), Uuid::max())
    }

    /// The bounds in a list in descending order of ids.
    pub fn descending(self) -> (Uuid, Uuid) {
        self.bounds(Uuid::max(), Uuid::nil())
    }
}

impl Seek<i64> {
    /// The bounds in a list in descending order of distances, which are at least 1.
    pub fn farthest_first(self) -> (i64, i64) {
        self.bounds(i64::MAX, 0)
    }
}

/// The key of a list in the order of times. Of one time, the greater id is the later key.
pub type TimeKey = (DateTime<Utc>, Uuid);

/// After every time in a table: the year 10183, within PostgreSQL's range.
const LATEST: TimeKey = (
    DateTime::from_timestamp(3_000_000 * 24 * 60 * 60, 0).expect("in chrono's range"),
    Uuid::max(),
);

/// Before every time in a table: ids have no earlier one.
const EARLIEST: TimeKey = (DateTime::UNIX_EPOCH, Uuid::nil());

impl Seek<TimeKey> {
    /// The bounds in a list that has the latest first.
    pub fn latest_first(self) -> (TimeKey, TimeKey) {
        self.bounds(LATEST, EARLIEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a statement with both branches lists.
    fn page(seek: Seek<Uuid>, limit: usize) -> Vec<u128> {
        let (after, before) = seek.descending();
        let list: Vec<Uuid> = (1..=9).rev().map(Uuid::from_u128).collect();
        let following = list.iter().filter(|id| **id < after).take(limit);
        let preceding = list.iter().rev().filter(|id| **id > before).take(limit);
        let mut ids: Vec<_> = following.chain(preceding).map(Uuid::as_u128).collect();
        ids.sort_unstable();
        ids.reverse();
        ids
    }

    #[test]
    fn one_branch_lists_the_page_and_the_other_nothing() {
        let key = Uuid::from_u128(5);
        assert_eq!(page(Seek::Start, 3), [9, 8, 7]);
        assert_eq!(page(Seek::After(key), 3), [4, 3, 2]);
        assert_eq!(page(Seek::Before(key), 3), [8, 7, 6]);
        assert_eq!(page(Seek::Before(key), 20), [9, 8, 7, 6]);
        assert_eq!(page(Seek::Before(Uuid::from_u128(9)), 3), [0; 0]);
    }
}
