//! What one run of anything came to.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Printed as JSON by every measuring process. Latencies are in microseconds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Summary {
    pub count: u64,
    pub errors: u64,
    pub first_error: Option<String>,
    pub seconds: f64,
    pub p50: f64,
    pub p99: f64,
    pub longest: f64,
    /// Answers with `X-Cache: hit`, and those with another value.
    pub hits: u64,
    pub misses: u64,
    /// Of all bodies.
    pub bytes: u64,
}

impl Summary {
    pub fn per_second(&self) -> f64 {
        self.count as f64 / self.seconds.max(1e-9)
    }

    /// Of the answers that say it; none where none does.
    pub fn hit_share(&self) -> Option<f64> {
        let told = self.hits + self.misses;
        (told > 0).then(|| self.hits as f64 / told as f64)
    }
}

/// What one connection or loop has seen.
pub struct Seen {
    took: Histogram<u64>,
    summary: Summary,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            // From a microsecond to a minute, to three digits; these bounds are always accepted.
            took: Histogram::new_with_bounds(1, 60_000_000, 3)
                .unwrap_or_else(|_| unreachable!("the bounds are constants")),
            summary: Summary::default(),
        }
    }
}

impl Seen {
    pub fn took(&mut self, took: Duration) {
        self.summary.count += 1;
        self.took.saturating_record(took.as_micros() as u64);
    }

    pub fn body(&mut self, bytes: usize, hit: Option<bool>) {
        self.summary.bytes += bytes as u64;
        match hit {
            Some(true) => self.summary.hits += 1,
            Some(false) => self.summary.misses += 1,
            None => {}
        }
    }

    pub fn failed(&mut self, error: impl Into<String>) {
        self.summary.errors += 1;
        self.summary.first_error.get_or_insert(error.into());
    }

    pub fn errors(&self) -> u64 {
        self.summary.errors
    }

    /// Of all of them together, over `elapsed`.
    pub fn together(all: impl IntoIterator<Item = Self>, elapsed: Duration) -> Summary {
        let mut sum = Self::default();
        for seen in all {
            // Both have the same bounds.
            let _ = sum.took.add(&seen.took);
            let (to, from) = (&mut sum.summary, seen.summary);
            to.count += from.count;
            to.errors += from.errors;
            to.first_error = to.first_error.take().or(from.first_error);
            to.hits += from.hits;
            to.misses += from.misses;
            to.bytes += from.bytes;
        }
        Summary {
            seconds: elapsed.as_secs_f64(),
            p50: sum.took.value_at_quantile(0.5) as f64,
            p99: sum.took.value_at_quantile(0.99) as f64,
            longest: sum.took.max() as f64,
            ..sum.summary
        }
    }
}
