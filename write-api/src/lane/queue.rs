//! What waits for a lane, and which of it may begin.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use feedmill_events::{Partition, PartitionSet};
use tokio::sync::Notify;

/// A transaction that takes longer than this is stuck, on a lock of another process or on the network, and
/// nobody waits to go along with what follows it.
pub const STUCK: Duration = Duration::from_millis(100);

/// Jobs in the order in which they came. No two batches of one partition are under way at once, so a
/// partition's jobs are done in that order.
pub struct Queue<J> {
    lanes: usize,
    most: usize,
    state: Mutex<State<J>>,
    /// Something has come or ended.
    news: Notify,
}

struct State<J> {
    waiting: VecDeque<(Partition, J)>,
    /// The partitions that are under way.
    busy: PartitionSet,
    /// When each batch began, and how many jobs it has.
    under_way: Vec<(Instant, usize)>,
}

/// Jobs that are done together, and what to give to [`Queue::done`].
pub struct Batch<J> {
    pub jobs: Vec<J>,
    pub ticket: Ticket,
}

pub struct Ticket {
    partitions: PartitionSet,
    began: Instant,
    jobs: usize,
}

impl<J> Queue<J> {
    /// For so many lanes, and at most `most` waiting jobs.
    pub fn new(lanes: usize, most: usize) -> Self {
        let state = State {
            waiting: VecDeque::new(),
            busy: PartitionSet::EMPTY,
            under_way: Vec::new(),
        };
        Self {
            lanes,
            most,
            state: Mutex::new(state),
            news: Notify::new(),
        }
    }

    /// False if too many are waiting, not counting those for whom `is_wanted` says no: these are dropped then.
    pub fn push(&self, partition: Partition, job: J, is_wanted: impl Fn(&J) -> bool) -> bool {
        let mut state = self.lock();
        if state.waiting.len() >= self.most {
            state.waiting.retain(|(_, job)| is_wanted(job));
        }
        let fits = state.waiting.len() < self.most;
        if fits {
            state.waiting.push_back((partition, job));
        }
        drop(state);
        self.news.notify_one();
        fits
    }

    /// All that may begin now, but at most `size`; none if nothing may.
    ///
    /// While little is to do, each job begins at once, in a transaction of its own. But as soon as there are as
    /// many under way as there are lanes, the others wait and then go together: that is what makes many cheap.
    pub fn take(&self, size: usize) -> Option<Batch<J>> {
        let (mut state, began) = (self.lock(), Instant::now());
        let moving = (state.under_way.iter())
            .filter(|(began, _)| began.elapsed() < STUCK)
            .map(|(_, jobs)| jobs);
        if moving.sum::<usize>() >= self.lanes {
            return None;
        }
        let (mut jobs, mut partitions, mut passed) = (Vec::new(), PartitionSet::EMPTY, state.busy);
        let mut rest = VecDeque::new();
        for (partition, job) in state.waiting.drain(..) {
            if jobs.len() < size && !passed.has(partition) {
                partitions.insert(partition);
                jobs.push(job);
            } else {
                passed.insert(partition);
                rest.push_back((partition, job));
            }
        }
        state.waiting = rest;
        if jobs.is_empty() {
            return None;
        }
        state.busy.insert_all(partitions);
        state.under_way.push((began, jobs.len()));
        let ticket = Ticket {
            partitions,
            began,
            jobs: jobs.len(),
        };
        Some(Batch { jobs, ticket })
    }

    /// The batch has ended: its partitions are free.
    pub fn done(&self, ticket: &Ticket) {
        let mut state = self.lock();
        state.busy.remove_all(ticket.partitions);
        let ended = (ticket.began, ticket.jobs);
        if let Some(place) = state.under_way.iter().position(|batch| *batch == ended) {
            state.under_way.swap_remove(place);
        }
    }

    /// Returns when there may be something to take.
    pub async fn news(&self) {
        if self.is_empty() {
            self.news.notified().await;
        } else {
            let _ = tokio::time::timeout(STUCK, self.news.notified()).await;
        }
    }

    pub fn is_empty(&self) -> bool {
        self.lock().waiting.is_empty()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State<J>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(jobs: &[(u8, u32)]) -> Queue<u32> {
        let queue = Queue::new(2, 4);
        for (partition, job) in jobs {
            assert!(push(&queue, *partition, *job));
        }
        queue
    }

    fn push(queue: &Queue<u32>, partition: u8, job: u32) -> bool {
        queue.push(Partition::try_from(partition).unwrap(), job, |job| *job > 0)
    }

    #[test]
    fn a_job_alone_begins_at_once_beside_others() {
        let queue = queue(&[(1, 1)]);
        let first = queue.take(9).unwrap();
        push(&queue, 2, 2);
        assert_eq!(first.jobs, [1]);
        assert_eq!(queue.take(9).unwrap().jobs, [2]);
    }

    #[test]
    fn what_comes_while_as_many_are_under_way_as_lanes_goes_together() {
        let queue = queue(&[(1, 1), (2, 2)]);
        let first = queue.take(9).unwrap();
        push(&queue, 3, 3);
        push(&queue, 4, 4);
        assert!(queue.take(9).is_none());
        queue.done(&first.ticket);
        assert_eq!(queue.take(9).unwrap().jobs, [3, 4]);
    }

    #[test]
    fn a_partition_is_in_one_batch_at_a_time_and_in_order() {
        let queue = queue(&[(1, 1)]);
        let first = queue.take(9).unwrap();
        for (partition, job) in [(1, 2), (2, 3), (1, 4)] {
            push(&queue, partition, job);
        }
        let second = queue.take(9).unwrap();
        assert_eq!(second.jobs, [3]);
        queue.done(&first.ticket);
        assert_eq!(queue.take(9).unwrap().jobs, [2, 4]);
        queue.done(&second.ticket);
        assert!(queue.take(9).is_none() && queue.is_empty());
    }

    #[test]
    fn what_does_not_fit_into_a_batch_does_not_let_others_overtake() {
        let queue = queue(&[(1, 1), (1, 2), (2, 3), (1, 4)]);
        let first = queue.take(1).unwrap();
        assert_eq!(first.jobs, [1]);
        queue.done(&first.ticket);
        assert_eq!(queue.take(9).unwrap().jobs, [2, 3, 4]);
    }

    #[test]
    fn what_is_stuck_holds_up_its_own_partitions_only() {
        let queue = queue(&[(1, 1), (2, 2)]);
        let _stuck = queue.take(9).unwrap();
        push(&queue, 1, 3);
        push(&queue, 3, 4);
        assert!(queue.take(9).is_none());
        std::thread::sleep(STUCK);
        assert_eq!(queue.take(9).unwrap().jobs, [4]);
    }

    #[test]
    fn a_full_queue_drops_what_nobody_waits_for() {
        let queue = queue(&[(1, 0), (1, 1), (1, 2), (1, 3)]);
        assert!(push(&queue, 1, 4));
        assert!(!push(&queue, 1, 5));
        assert_eq!(queue.take(9).unwrap().jobs, [1, 2, 3, 4]);
    }
}
