//! A rate limit on password attempts for each handle, against guessing.
//!
//! It is counted in memory, in each process, by a fixed number of counters, so that it cannot grow. Two handles share a
//! counter with a probability of 1 in 65,536. An attacker can use up the attempts of a handle and so keep its owner from
//! signing in, but not from anything else. Limits by address belong to the proxy in front, which knows addresses.

use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// The maximum number of failed attempts for a handle in a minute of the clock.
const MAX_PER_MINUTE: u64 = 10;
/// In milliseconds.
const MINUTE: i64 = 60_000;
const COUNTERS: usize = 1 << 16;

/// Each counter has a minute in its upper 48 bits, and the attempts of that minute in its lower 16.
pub struct Attempts {
    counters: Vec<AtomicU64>,
    /// Keyed at random, so that an attacker cannot find handles that share a counter.
    hasher: RandomState,
}

impl Default for Attempts {
    fn default() -> Self {
        Self {
            counters: (0..COUNTERS).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
        }
    }
}

impl Attempts {
    /// Counts an attempt before it is made, so that concurrent attempts are limited too. The error is how long to wait.
    pub fn begin(&self, handle: &str, now_millis: i64) -> Result<Attempt<'_>, Duration> {
        let minute = (now_millis / MINUTE) as u64;
        let counter = &self.counters[self.hasher.hash_one(handle) as usize % COUNTERS];
        let counted = counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |counter| {
            let used = if counter >> 16 == minute {
                counter & 0xFFFF
            } else {
                0
            };
            (used < MAX_PER_MINUTE).then_some((minute << 16) | (used + 1))
        });
        match counted {
            Ok(_) => Ok(Attempt { counter, minute }),
            Err(_) => Err(Duration::from_millis((MINUTE - now_millis % MINUTE) as u64)),
        }
    }
}

pub struct Attempt<'a> {
    counter: &'a AtomicU64,
    minute: u64,
}

impl Attempt<'_> {
    /// A successful attempt does not count.
    pub fn succeeded(self) {
        let decremented = |counter: u64| {
            (counter >> 16 == self.minute && counter & 0xFFFF > 0).then(|| counter - 1)
        };
        self.counter
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, decremented)
            .ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_failed_attempts_a_minute_are_allowed() {
        let attempts = Attempts::default();
        for _ in 0..MAX_PER_MINUTE {
            assert!(attempts.begin("miller", 30_000).is_ok());
        }
        assert_eq!(
            attempts.begin("miller", 59_000).err(),
            Some(Duration::from_secs(1))
        );
        assert!(attempts.begin("someone_else", 59_000).is_ok());
        assert!(attempts.begin("miller", 60_000).is_ok());
    }

    #[test]
    fn a_successful_attempt_does_not_count() {
        let attempts = Attempts::default();
        for _ in 0..100 {
            attempts
                .begin("miller", 0)
                .expect("never too many")
                .succeeded();
        }
    }
}
