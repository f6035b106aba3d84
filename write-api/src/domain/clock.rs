//! Time and randomness: the only place that reads either.

use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use feedmill_events::{Partition, id};
use uuid::Uuid;

/// The time of a decision, with the randomness that makes ids unique. Decisions take it as an argument.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Unix milliseconds.
    pub millis: i64,
    /// Orders the ids of one millisecond.
    pub counter: u16,
    pub random: u64,
}

impl Moment {
    /// The moment of an imported record. `ordinal` counts the lines of its millisecond. It takes the 32 bits after the time, so
    /// ids are in the order of the lines in whatever partitions they are. `hash` is of the record's name and fills the bits
    /// between ordinal and partition, of which there are 36: two files may have records with the same time and ordinal.
    pub fn imported(millis: i64, ordinal: u32, hash: u64) -> Self {
        let low_bits = u64::from(ordinal) & ((1 << 20) - 1);
        Self {
            millis,
            counter: (ordinal >> 20) as u16,
            random: low_bits << 42 | hash & ((1 << 42) - 1),
        }
    }

    /// The id of the resource that the command creates.
    pub fn id(self, partition: Partition) -> Uuid {
        id::compose(self.millis, self.counter, self.random, Some(partition))
    }

    pub fn at(self) -> DateTime<Utc> {
        time(self.millis)
    }
}

/// Unix milliseconds as a timestamp.
pub fn time(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap_or_default()
}

/// A monotonic clock. Each moment is later than the one before, so the ids of one process are in the order of its
/// decisions, even when the wall clock stands still or steps back.
#[derive(Debug, Default)]
pub struct Clock {
    /// Unix milliseconds, shifted left by 12 bits, and the counter in these bits.
    last: AtomicU64,
}

impl Clock {
    /// All later moments are at this time or after it, in Unix milliseconds.
    pub fn not_before(&self, millis: u64) {
        self.last.fetch_max(millis << 12, Ordering::Relaxed);
    }

    pub fn now(&self) -> Moment {
        #[expect(
            clippy::disallowed_methods,
            reason = "the clock is read here and nowhere else"
        )]
        let now = (Utc::now().timestamp_millis().max(0) as u64) << 12;
        let next = |last: u64| now.max(last + 1);
        let last = self.last.update(Ordering::Relaxed, Ordering::Relaxed, next);
        let stamp = next(last);
        Moment {
            millis: (stamp >> 12) as i64,
            counter: (stamp & 0xFFF) as u16,
            random: rand::random(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_in_the_order_of_their_moments() {
        let clock = Clock::default();
        let partition = Partition::try_from(3u8).unwrap();
        let ids: Vec<_> = (0..10_000).map(|_| clock.now().id(partition)).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn no_moment_is_before_a_given_time() {
        let clock = Clock::default();
        let ahead = clock.now().millis + 60_000;
        clock.not_before(ahead as u64);
        assert!(clock.now().millis >= ahead);
        clock.not_before(5);
        assert!(clock.now().millis >= ahead);
    }

    #[test]
    fn imported_ids_are_in_the_order_of_their_ordinals() {
        let last = Partition::all().last().unwrap();
        let first = Partition::all().next().unwrap();
        for ordinal in [0, 1, 4_095, 0xF_FFFE, 0xF_FFFF, 0x10_0000, u32::MAX - 1] {
            let low = Moment::imported(5, ordinal, u64::MAX).id(last);
            let high = Moment::imported(5, ordinal + 1, 0).id(first);
            assert!(low < high, "{ordinal}");
            assert_eq!((id::millis(low), id::millis(high)), (5, 5));
        }
        let other_file = Moment::imported(5, 7, 1 << 6).id(first);
        assert_ne!(Moment::imported(5, 7, 0).id(first), other_file);
    }
}
