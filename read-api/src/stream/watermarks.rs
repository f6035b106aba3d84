//! The items of a list that a client has, as a watermark per partition.
//!
//! An id is made when its command is decided, and becomes visible when its partition is projected. Within a partition
//! that is the order of the ids; across partitions it is any order, since one may be hours behind another. One
//! watermark for all partitions would lose items.

use std::collections::BTreeMap;

use feedmill_events::{PARTITIONS, Partition, id};
use uuid::Uuid;

use crate::sql::stream::Since;

/// A day: older items are not new, even if they become visible only now, and a client that was away for longer reads
/// the lists again.
pub const LOOKBACK_MILLIS: i64 = 24 * 60 * 60 * 1_000;

/// Each write-api instance makes ids by its own clock. If two clocks differ, an older id of a partition may become
/// visible after a newer one. Each read therefore starts again so far back.
pub const CLOCK_SKEW_MILLIS: i64 = 10_000;

/// Ids that are remembered as sent. An item whose id is forgotten may be sent again.
const MAX_SENT: usize = 2_000;

#[derive(Debug, Clone)]
pub struct Watermarks {
    /// By partition: all items from before this millisecond were sent.
    from: [i64; PARTITIONS as usize],
    /// The items that were sent from that millisecond on, or within the clock skew, with their partitions.
    sent: BTreeMap<Uuid, Partition>,
}

impl Watermarks {
    /// Of a client that has no item of the lookback before `now`.
    pub fn new(now: i64) -> Self {
        Self::starting_at(&[now - LOOKBACK_MILLIS; PARTITIONS as usize])
    }

    pub fn starting_at(from: &[i64; PARTITIONS as usize]) -> Self {
        let sent = BTreeMap::new();
        Self { from: *from, sent }
    }

    /// The client has this item, and all earlier items of its partition.
    pub fn mark_sent(&mut self, partition: Partition, item: Uuid) {
        let from = &mut self.from[usize::from(partition.number())];
        *from = id::millis(item).max(*from);
        self.sent.insert(item, partition);
    }

    /// Forgets ids that no read can return any more.
    pub fn forget_old(&mut self, now: i64) {
        let (from, skew_start) = (&mut self.from, now - CLOCK_SKEW_MILLIS);
        for from in &mut *from {
            *from = (*from).max(now - LOOKBACK_MILLIS);
        }
        self.sent.retain(|item, partition| {
            id::millis(*item) >= from[usize::from(partition.number())].min(skew_start)
        });
        while self.sent.len() > MAX_SENT {
            self.sent.pop_first();
        }
    }

    /// The argument of the next read.
    pub fn since(&self, now: i64) -> Since {
        Since {
            from: self
                .from
                .map(|from| id::first_of(from.min(now - CLOCK_SKEW_MILLIS))),
            sent: self.sent.keys().copied().collect(),
        }
    }

    /// By partition: the millisecond from which on a client that reconnects may lack items.
    pub fn resume(&self) -> [i64; PARTITIONS as usize] {
        let mut resume = self.from;
        for (item, partition) in &self.sent {
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

    /// Whether a read returns the item.
    fn is_new(watermarks: &Watermarks, now: i64, item: Uuid) -> bool {
        let since = watermarks.since(now);
        let from = since.from[usize::from(Partition::of(item).number())];
        item >= from && !since.sent.contains(&item)
    }

    fn after_sending(items: &[Uuid]) -> Watermarks {
        let mut watermarks = Watermarks::new(NOW);
        for item in items {
            watermarks.mark_sent(Partition::of(*item), *item);
        }
        watermarks.forget_old(NOW);
        watermarks
    }

    #[test]
    fn later_items_of_a_partition_are_new() {
        let hour_ago = NOW - 3_600_000;
        let sent = item(hour_ago, 3);
        let watermarks = after_sending(&[sent]);
        assert!(!is_new(&watermarks, NOW, sent));
        assert!(!is_new(&watermarks, NOW, item(hour_ago - 1, 3)));
        assert!(is_new(&watermarks, NOW, item(hour_ago + 1, 3)));
    }

    #[test]
    fn late_items_of_a_slow_partition_are_new() {
        let watermarks = after_sending(&[item(NOW, 3)]);
        assert!(is_new(&watermarks, NOW, item(NOW - 3_600_000, 4)));
        assert!(!is_new(
            &watermarks,
            NOW,
            item(NOW - LOOKBACK_MILLIS - 1, 4)
        ));
    }

    #[test]
    fn items_within_the_clock_skew_are_new() {
        let sent = [item(NOW, 3), item(NOW - CLOCK_SKEW_MILLIS + 1, 3)];
        let mut watermarks = after_sending(&sent);
        for old in sent {
            assert!(!is_new(&watermarks, NOW, old));
        }
        assert!(is_new(
            &watermarks,
            NOW,
            item(NOW - CLOCK_SKEW_MILLIS + 2, 3)
        ));
        let later = NOW + 2 * CLOCK_SKEW_MILLIS;
        watermarks.forget_old(later);
        assert_eq!(
            watermarks.sent.len(),
            1,
            "the last item of the partition is enough"
        );
        assert!(!is_new(&watermarks, later, sent[0]));
        assert!(!is_new(&watermarks, later, sent[1]));
    }

    #[test]
    fn a_client_that_reconnects_gets_what_it_lacks() {
        let hour_ago = NOW - 3_600_000;
        let sent = item(hour_ago, 3);
        let watermarks = Watermarks::starting_at(&after_sending(&[sent]).resume());
        assert!(!is_new(&watermarks, NOW, sent));
        assert!(is_new(&watermarks, NOW, item(hour_ago + 1, 3)));
        let watermarks = Watermarks::starting_at(&Watermarks::new(NOW).resume());
        assert!(is_new(&watermarks, NOW, item(NOW - LOOKBACK_MILLIS, 3)));
    }
}
