//! What a client has of a list.
//!
//! Ids are made when a command is decided, and become visible when its partition is projected: within one
//! partition in that order, across partitions in any, since one may be behind the others by hours. So what a
//! client has is told by partition, as the time from which on it may lack something.

use std::collections::BTreeMap;

use feedmill_events::{PARTITIONS, Partition, id};
use uuid::Uuid;

use crate::query::stream::Since;

/// Further back nothing is looked for, in milliseconds: a day. What becomes visible later than that is found in
/// the lists, and a client that was away for longer reads them anew.
pub const REACH: i64 = 24 * 60 * 60 * 1_000;

/// Each write-api makes ids by its own clock. Among those of one partition an older one may come later by as
/// much as these clocks differ: so much is read again each time, in milliseconds.
pub const OVERLAP: i64 = 10_000;

/// Of the ids that are remembered. What is forgotten may be sent again.
const MAX_KNOWN: usize = 2_000;

#[derive(Debug, Clone)]
pub struct Marks {
    /// By partition: all from before this millisecond was sent.
    from: [i64; PARTITIONS as usize],
    /// What was sent from later than that, or within the overlap, with its partition.
    known: BTreeMap<Uuid, Partition>,
}

impl Marks {
    /// Of a client that has all from before `moment`'s reach.
    pub fn new(moment: i64) -> Self {
        Self::of(&[moment - REACH; PARTITIONS as usize])
    }

    pub fn of(from: &[i64; PARTITIONS as usize]) -> Self {
        let known = BTreeMap::new();
        Self { from: *from, known }
    }

    /// The client has this one, and all that its partition had made before.
    pub fn note(&mut self, partition: Partition, item: Uuid) {
        let from = &mut self.from[usize::from(partition.number())];
        *from = id::millis(item).max(*from);
        self.known.insert(item, partition);
    }

    /// Forgets what need not be remembered any more.
    pub fn tidy(&mut self, now: i64) {
        let (from, overlap) = (&mut self.from, now - OVERLAP);
        for from in &mut *from {
            *from = (*from).max(now - REACH);
        }
        self.known.retain(|item, partition| {
            id::millis(*item) >= from[usize::from(partition.number())].min(overlap)
        });
        while self.known.len() > MAX_KNOWN {
            self.known.pop_first();
        }
    }

    /// For the next read.
    pub fn since(&self, now: i64) -> Since {
        Since {
            from: self.from.map(|from| id::first_of(from.min(now - OVERLAP))),
            known: self.known.keys().copied().collect(),
        }
    }

    /// By partition: the millisecond from which on a client that comes back may lack something.
    pub fn resume(&self) -> [i64; PARTITIONS as usize] {
        let mut resume = self.from;
        for (item, partition) in &self.known {
            let from = usize::from(partition.number());
            if id::millis(*item) == self.from[from] {
                resume[from] = self.from[from] + 1;
            }
        }
        resume
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_713_000_000_000;

    fn partition(number: u8) -> Partition {
        Partition::try_from(number).unwrap()
    }

    fn item(millis: i64, partition: u8) -> Uuid {
        id::compose(millis, 0, 7 << 8, Some(self::partition(partition)))
    }

    /// Whether a read would give it.
    fn is_new(marks: &Marks, now: i64, item: Uuid) -> bool {
        let since = marks.since(now);
        let from = since.from[usize::from(Partition::of(item).number())];
        item >= from && !since.known.contains(&item)
    }

    fn noted(items: &[Uuid]) -> Marks {
        let mut marks = Marks::new(NOW);
        for item in items {
            marks.note(Partition::of(*item), *item);
        }
        marks.tidy(NOW);
        marks
    }

    #[test]
    fn what_was_sent_is_not_new_and_what_its_partition_made_later_is() {
        let hour_ago = NOW - 3_600_000;
        let sent = item(hour_ago, 3);
        let marks = noted(&[sent]);
        assert!(!is_new(&marks, NOW, sent));
        assert!(!is_new(&marks, NOW, item(hour_ago - 1, 3)));
        assert!(is_new(&marks, NOW, item(hour_ago + 1, 3)));
    }

    #[test]
    fn what_a_partition_makes_visible_late_is_new_however_new_others_are() {
        let marks = noted(&[item(NOW, 3)]);
        assert!(is_new(&marks, NOW, item(NOW - 3_600_000, 4)));
        assert!(!is_new(&marks, NOW, item(NOW - REACH - 1, 4)));
    }

    #[test]
    fn clocks_may_differ_by_the_overlap() {
        let sent = [item(NOW, 3), item(NOW - OVERLAP + 1, 3)];
        let mut marks = noted(&sent);
        for old in sent {
            assert!(!is_new(&marks, NOW, old));
        }
        assert!(is_new(&marks, NOW, item(NOW - OVERLAP + 2, 3)));
        let later = NOW + 2 * OVERLAP;
        marks.tidy(later);
        assert_eq!(marks.known.len(), 1, "the last of its partition is enough");
        assert!(!is_new(&marks, later, sent[0]));
        assert!(!is_new(&marks, later, sent[1]));
    }

    #[test]
    fn who_comes_back_gets_what_is_after_the_last() {
        let hour_ago = NOW - 3_600_000;
        let sent = item(hour_ago, 3);
        let marks = Marks::of(&noted(&[sent]).resume());
        assert!(!is_new(&marks, NOW, sent));
        assert!(is_new(&marks, NOW, item(hour_ago + 1, 3)));
        let marks = Marks::of(&Marks::new(NOW).resume());
        assert!(is_new(&marks, NOW, item(NOW - REACH, 3)));
    }
}
