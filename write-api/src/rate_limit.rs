//! A rate limit for each of many keys, in memory, in this process.
//!
//! It is the generic cell rate algorithm: a key may use all of its rate at once, and gets it back evenly. What was taken can be
//! given back, because a limit counts only attempts that failed, or commands that succeeded.

use std::{
    hash::Hash,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use moka::sync::Cache;

/// The maximum number of keys, at about 0.4 KB each. Beyond it, those that were used least are forgotten, with what they used.
const MAX_KEYS: u64 = 100_000;

/// `count` in each `period`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub count: u32,
    pub period: Duration,
}

impl Rate {
    fn period_micros(self) -> i64 {
        i64::try_from(self.period.as_micros()).unwrap_or(i64::MAX / 4)
    }

    /// How long it takes until one more is there.
    fn interval_micros(self) -> i64 {
        (self.period_micros() / i64::from(self.count.max(1))).max(1)
    }
}

pub struct RateLimiter<K> {
    rate: Rate,
    /// The time at which each key has its whole rate again, in Unix microseconds.
    full_at: Cache<K, Arc<AtomicI64>>,
}

impl<K: Hash + Eq + Send + Sync + 'static> RateLimiter<K> {
    pub fn new(rate: Rate) -> Self {
        let full_at = Cache::builder()
            .max_capacity(MAX_KEYS)
            // After the period a key has its whole rate, as one that is not there.
            .time_to_idle(rate.period.max(Duration::from_secs(1)))
            .build();
        Self { rate, full_at }
    }

    /// Takes one, before the attempt, so that concurrent ones are limited, too. The error is when there is one again.
    pub fn take(&self, key: K, now_millis: i64) -> Result<Taken, Exceeded> {
        let now = now_millis.saturating_mul(1_000);
        let (period, interval) = (self.rate.period_micros(), self.rate.interval_micros());
        let full_at = self.full_at.get_with(key, Arc::default);
        let next = |at: i64| {
            let next = at.max(now) + interval;
            (next - now <= period).then_some(next)
        };
        match full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next) {
            Ok(_) => Ok(Taken {
                full_at,
                interval,
                rate: self.rate,
                is_kept: false,
            }),
            Err(at) => Err(Exceeded {
                rate: self.rate,
                retry_after: micros(at + interval - period - now),
                full_after: micros(at - now),
            }),
        }
    }
}

/// One of a key's rate, which is given back unless it is kept.
#[must_use]
pub struct Taken {
    full_at: Arc<AtomicI64>,
    interval: i64,
    rate: Rate,
    is_kept: bool,
}

impl Taken {
    /// Counts it. Returns what is left.
    pub fn keep(mut self, now_millis: i64) -> Remaining {
        self.is_kept = true;
        let used = self.full_at.load(Ordering::Relaxed) - now_millis.saturating_mul(1_000);
        let left = self.rate.period_micros() - used.max(0);
        Remaining {
            rate: self.rate,
            count: u32::try_from(left / self.interval).unwrap_or(0),
            full_after: micros(used),
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if !self.is_kept {
            self.full_at.fetch_sub(self.interval, Ordering::Relaxed);
        }
    }
}

/// What a key has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remaining {
    pub rate: Rate,
    pub count: u32,
    /// When it has its whole rate again.
    pub full_after: Duration,
}

/// A key has used up its rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exceeded {
    pub rate: Rate,
    pub retry_after: Duration,
    /// When it has its whole rate again.
    pub full_after: Duration,
}

fn micros(micros: i64) -> Duration {
    Duration::from_micros(micros.max(0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    fn limiter() -> RateLimiter<&'static str> {
        let period = Duration::from_mins(1);
        RateLimiter::new(Rate { count: 6, period })
    }

    #[test]
    fn a_key_has_its_rate_at_once_and_gets_it_back_evenly() {
        let limiter = limiter();
        for left in (0..6).rev() {
            let remaining = limiter.take("a", NOW).unwrap().keep(NOW);
            assert_eq!(remaining.count, left);
            assert_eq!(
                remaining.full_after,
                Duration::from_secs(10 * (6 - u64::from(left)))
            );
        }
        let wait = |now| limiter.take("a", now).err().map(|over| over.retry_after);
        assert_eq!(wait(NOW), Some(Duration::from_secs(10)));
        assert_eq!(wait(NOW + 9_000), Some(Duration::from_secs(1)));
        assert_eq!(limiter.take("b", NOW).unwrap().keep(NOW).count, 5);
        assert_eq!(
            limiter
                .take("a", NOW + 10_000)
                .unwrap()
                .keep(NOW + 10_000)
                .count,
            0
        );
        assert_eq!(
            limiter
                .take("a", NOW + 80_000)
                .unwrap()
                .keep(NOW + 80_000)
                .count,
            5
        );
    }

    #[test]
    fn what_is_not_kept_is_given_back() {
        let limiter = limiter();
        for _ in 0..100 {
            drop(limiter.take("a", NOW).unwrap());
        }
        let all: Vec<_> = (0..6).map(|_| limiter.take("a", NOW).unwrap()).collect();
        assert!(limiter.take("a", NOW).is_err(), "concurrent ones count");
        drop(all);
        assert!(limiter.take("a", NOW).is_ok());
    }
}
