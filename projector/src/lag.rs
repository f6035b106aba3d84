//! How long a projection has been behind.
//!
//! The events' own times do not tell: an import brings events of years ago. So the heads are remembered
//! with the time at which they were seen, until the projection has reached them. After a restart that
//! begins anew; the lag in events does not.

use std::{
    collections::{BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use feedmill_events::Partition;

use crate::log::Places;

/// At one a second, an hour; a projection that is further behind only loses precision.
const MOST: usize = 3_600;
const INTERVAL: Duration = Duration::from_millis(900);

#[derive(Debug, Default)]
pub struct Lag {
    seen: VecDeque<(Instant, Places)>,
}

impl Lag {
    /// Notes where the log is now.
    pub fn see(&mut self, now: Instant, heads: &Places) {
        let recent = self
            .seen
            .back()
            .is_some_and(|(at, _)| now.duration_since(*at) < INTERVAL);
        if !recent && self.seen.len() < MOST {
            self.seen.push_back((now, heads.clone()));
        }
    }

    /// Since when the log has been ahead of `done`. Exact to about a second.
    pub fn since(
        &mut self,
        now: Instant,
        done: &Places,
        partitions: &BTreeSet<Partition>,
    ) -> Duration {
        while let Some((at, heads)) = self.seen.front() {
            if partitions
                .iter()
                .any(|partition| heads[*partition] > done[*partition])
            {
                return now.duration_since(*at);
            }
            self.seen.pop_front();
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
        let place = |seq| {
            let mut places = Places::default();
            places[Partition::all().next().unwrap()] = seq;
            places
        };
        lag.see(at(0), &place(5));
        lag.see(at(1), &place(9));
        let mut since = |now, done| {
            lag.since(at(now), &place(done), &Partition::all().collect())
                .as_secs()
        };
        assert_eq!(since(3, 4), 3);
        assert_eq!(since(3, 5), 2);
        assert_eq!(since(4, 8), 3);
        assert_eq!(since(4, 9), 0);
    }
}
