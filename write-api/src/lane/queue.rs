//! The queue of submissions, and which of them may begin.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use feedmill_events::PartitionSet;
use tokio::sync::Notify;

/// A transaction that takes longer is stalled, on a lock of another process or on the network. It no longer keeps other
/// partitions waiting.
pub const STALLED_AFTER: Duration = Duration::from_millis(100);

/// Items in the order of their arrival, each with its partitions. Two groups that have a partition in common are never in flight
/// at once, so the items of a partition are processed in order.
pub struct Queue<T> {
    lanes: usize,
    capacity: usize,
    state: Mutex<QueueState<T>>,
    /// An item was pushed, or a group has finished.
    changed: Notify,
}

struct QueueState<T> {
    waiting: VecDeque<(PartitionSet, T)>,
    /// The partitions of the groups in flight.
    busy: PartitionSet,
    in_flight: Vec<(Instant, usize)>,
}

/// Items that are processed together, and what to pass to [`Queue::finish`].
pub struct Group<T> {
    pub items: Vec<T>,
    pub claim: Claim,
}

/// The partitions of a group in flight.
pub struct Claim {
    partitions: PartitionSet,
    started: Instant,
    items: usize,
}

impl<T> Queue<T> {
    /// A queue for this many lanes, with at most `capacity` waiting items.
    pub fn new(lanes: usize, capacity: usize) -> Self {
        let state = QueueState {
            waiting: VecDeque::new(),
            busy: PartitionSet::EMPTY,
            in_flight: Vec::new(),
        };
        Self {
            lanes,
            capacity,
            state: Mutex::new(state),
            changed: Notify::new(),
        }
    }

    /// False if the queue is full. A full queue first drops the items for which `is_wanted` is false.
    pub fn push(&self, partitions: PartitionSet, item: T, is_wanted: impl Fn(&T) -> bool) -> bool {
        let mut state = self.lock();
        if state.waiting.len() >= self.capacity {
            state.waiting.retain(|(_, item)| is_wanted(item));
        }
        let fits = state.waiting.len() < self.capacity;
        if fits {
            state.waiting.push_back((partitions, item));
        }
        drop(state);
        self.changed.notify_one();
        fits
    }

    /// Takes all items that may begin now, at most `max`; None if there are none.
    ///
    /// Under little load each item begins at once, in a group of its own. Once as many items are in flight as there are
    /// lanes, the others wait, and then go in one group: large groups are what makes many commands cheap.
    pub fn take(&self, max: usize) -> Option<Group<T>> {
        let (mut state, started) = (self.lock(), Instant::now());
        let moving = (state.in_flight.iter())
            .filter(|(started, _)| started.elapsed() < STALLED_AFTER)
            .map(|(_, items)| items);
        if moving.sum::<usize>() >= self.lanes {
            return None;
        }
        let (mut items, mut partitions) = (Vec::new(), PartitionSet::EMPTY);
        // An item must not overtake an earlier one that has to wait and has a partition in common with it.
        let mut blocked = state.busy;
        let mut rest = VecDeque::new();
        for (of_item, item) in state.waiting.drain(..) {
            if items.len() < max && !blocked.intersects(of_item) {
                partitions.insert_all(of_item);
                items.push(item);
            } else {
                blocked.insert_all(of_item);
                rest.push_back((of_item, item));
            }
        }
        state.waiting = rest;
        if items.is_empty() {
            return None;
        }
        state.busy.insert_all(partitions);
        state.in_flight.push((started, items.len()));
        let claim = Claim {
            partitions,
            started,
            items: items.len(),
        };
        Some(Group { items, claim })
    }

    /// Frees the partitions of a group that has ended.
    pub fn finish(&self, claim: &Claim) {
        let mut state = self.lock();
        state.busy.remove_all(claim.partitions);
        let ended = (claim.started, claim.items);
        if let Some(index) = state.in_flight.iter().position(|group| *group == ended) {
            state.in_flight.swap_remove(index);
        }
    }

    /// Returns when [`Queue::take`] may find something.
    pub async fn changed(&self) {
        if self.is_empty() {
            self.changed.notified().await;
        } else {
            // A stalled group stops counting without a notification.
            let _ = tokio::time::timeout(STALLED_AFTER, self.changed.notified()).await;
        }
    }

    pub fn is_empty(&self) -> bool {
        self.lock().waiting.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, QueueState<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use feedmill_events::Partition;

    use super::*;

    fn queue(items: &[(u8, u32)]) -> Queue<u32> {
        let queue = Queue::new(2, 4);
        for (partition, item) in items {
            assert!(push(&queue, *partition, *item));
        }
        queue
    }

    fn push(queue: &Queue<u32>, partition: u8, item: u32) -> bool {
        push_to(queue, &[partition], item)
    }

    fn push_to(queue: &Queue<u32>, partitions: &[u8], item: u32) -> bool {
        let partitions = partitions.iter();
        let partitions = partitions.map(|number| Partition::try_from(*number).unwrap());
        queue.push(partitions.collect(), item, |item| *item > 0)
    }

    #[test]
    fn a_single_item_begins_at_once_beside_others() {
        let queue = queue(&[(1, 1)]);
        let first = queue.take(9).unwrap();
        push(&queue, 2, 2);
        assert_eq!(first.items, [1]);
        assert_eq!(queue.take(9).unwrap().items, [2]);
    }

    #[test]
    fn items_wait_and_go_together_while_as_many_are_in_flight_as_lanes() {
        let queue = queue(&[(1, 1), (2, 2)]);
        let first = queue.take(9).unwrap();
        push(&queue, 3, 3);
        push(&queue, 4, 4);
        assert!(queue.take(9).is_none());
        queue.finish(&first.claim);
        assert_eq!(queue.take(9).unwrap().items, [3, 4]);
    }

    #[test]
    fn a_partition_is_in_one_group_at_a_time_and_in_order() {
        let queue = queue(&[(1, 1)]);
        let first = queue.take(9).unwrap();
        for (partition, item) in [(1, 2), (2, 3), (1, 4)] {
            push(&queue, partition, item);
        }
        let second = queue.take(9).unwrap();
        assert_eq!(second.items, [3]);
        queue.finish(&first.claim);
        assert_eq!(queue.take(9).unwrap().items, [2, 4]);
        queue.finish(&second.claim);
        assert!(queue.take(9).is_none() && queue.is_empty());
    }

    #[test]
    fn an_item_does_not_overtake_one_that_did_not_fit_into_the_group() {
        let queue = queue(&[(1, 1), (1, 2), (2, 3), (1, 4)]);
        let first = queue.take(1).unwrap();
        assert_eq!(first.items, [1]);
        queue.finish(&first.claim);
        assert_eq!(queue.take(9).unwrap().items, [2, 3, 4]);
    }

    #[test]
    fn an_item_of_two_partitions_waits_for_both_and_keeps_later_ones_waiting() {
        let queue = queue(&[(1, 1)]);
        let first = queue.take(9).unwrap();
        push_to(&queue, &[1, 2], 2);
        push(&queue, 2, 3);
        push(&queue, 3, 4);
        assert_eq!(queue.take(9).unwrap().items, [4]);
        queue.finish(&first.claim);
        assert_eq!(queue.take(9).unwrap().items, [2, 3]);
    }

    #[test]
    fn a_stalled_group_blocks_its_own_partitions_only() {
        let queue = queue(&[(1, 1), (2, 2)]);
        let _stalled = queue.take(9).unwrap();
        push(&queue, 1, 3);
        push(&queue, 3, 4);
        assert!(queue.take(9).is_none());
        std::thread::sleep(STALLED_AFTER);
        assert_eq!(queue.take(9).unwrap().items, [4]);
    }

    #[test]
    fn a_full_queue_drops_abandoned_items() {
        let queue = queue(&[(1, 0), (1, 1), (1, 2), (1, 3)]);
        assert!(push(&queue, 1, 4));
        assert!(!push(&queue, 1, 5));
        assert_eq!(queue.take(9).unwrap().items, [1, 2, 3, 4]);
    }
}
