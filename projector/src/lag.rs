//! How long a projection has been behind the log.
//!
//! The events' own times do not tell, since an import adds events of past years. Instead, the heads are remembered with
//! the time at which they were first seen, until the projection has reached them. A restart forgets them; the lag in
//! events is not affected.

use std::{
    collections::{BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use feedmill_events::Partition;

use crate::log::Offsets;

/// About an hour. Beyond it, the lag of a projection only becomes less precise.
const MAX_SAMPLES: usize = 3_600;
const SAMPLE_INTERVAL: Duration = Duration::from_millis(900);

#[derive(Debug, Default)]
pub struct Lag {
    samples: VecDeque<(Instant, Offsets)>,
}

impl Lag {
    /// Remembers the heads of the log, at most one sample per interval.
    pub fn record(&mut self, now: Instant, heads: &Offsets) {
        let is_recent = self
            .samples
            .back()
            .is_some_and(|(at, _)| now.duration_since(*at) < SAMPLE_INTERVAL);
        if !is_recent && self.samples.len() < MAX_SAMPLES {
            self.samples.push_back((now, heads.clone()));
        }
    }

    /// For how long the log has been ahead of `applied` in any of these partitions, to about a second.
    pub fn duration(
        &mut self,
        now: Instant,
        applied: &Offsets,
        partitions: &BTreeSet<Partition>,
    ) -> Duration {
        while let Some((at, heads)) = self.samples.front() {
            if partitions
                .iter()
                .any(|partition| heads[*partition] > applied[*partition])
            {
                return now.duration_since(*at);
            }
            self.samples.pop_front();
        }
        Duration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lag_is_the_age_of_the_oldest_head_that_is_not_reached() {
        let (mut lag, start) = (Lag::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let offsets = |seq| {
            let mut offsets = Offsets::default();
            offsets[Partition::all().next().unwrap()] = seq;
            offsets
        };
        lag.record(at(0), &offsets(5));
        lag.record(at(1), &offsets(9));
        let mut seconds = |now, applied| {
            lag.duration(at(now), &offsets(applied), &Partition::all().collect())
                .as_secs()
        };
        assert_eq!(seconds(3, 4), 3);
        assert_eq!(seconds(3, 5), 2);
        assert_eq!(seconds(4, 8), 3);
        assert_eq!(seconds(4, 9), 0);
    }
}
