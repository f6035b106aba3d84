//! The result of a run.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Every measuring process prints it as JSON. Latencies are in microseconds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Summary {
    pub count: u64,
    pub errors: u64,
    pub first_error: Option<String>,
    pub seconds: f64,
    pub p50: f64,
    pub p99: f64,
    pub longest: f64,
    /// Responses with `X-Cache: hit`, and with any other value.
    pub hits: u64,
    pub misses: u64,
    /// The total size of all bodies.
    pub bytes: u64,
}

impl Summary {
    pub fn per_second(&self) -> f64 {
        self.count as f64 / self.seconds.max(1e-9)
    }

    /// The share of hits in the responses with `X-Cache`. None without such responses.
    pub fn hit_share(&self) -> Option<f64> {
        let total = self.hits + self.misses;
        (total > 0).then(|| self.hits as f64 / total as f64)
    }
}

/// Records the results of one connection or loop.
pub struct Recorder {
    latencies: Histogram<u64>,
    summary: Summary,
}

impl Default for Recorder {
    fn default() -> Self {
        Self {
            // From 1 µs to 1 min, with three significant digits.
            latencies: Histogram::new_with_bounds(1, 60_000_000, 3)
                .unwrap_or_else(|_| unreachable!("the bounds are valid constants")),
            summary: Summary::default(),
        }
    }
}

impl Recorder {
    pub fn latency(&mut self, latency: Duration) {
        self.summary.count += 1;
        self.latencies.saturating_record(latency.as_micros() as u64);
    }

    pub fn body(&mut self, bytes: usize, hit: Option<bool>) {
        self.summary.bytes += bytes as u64;
        match hit {
            Some(true) => self.summary.hits += 1,
            Some(false) => self.summary.misses += 1,
            None => {}
        }
    }

    pub fn error(&mut self, error: impl Into<String>) {
        self.summary.errors += 1;
        self.summary.first_error.get_or_insert(error.into());
    }

    pub fn errors(&self) -> u64 {
        self.summary.errors
    }

    /// The summary of all recorders. `elapsed` is the measured time.
    pub fn merge(all: impl IntoIterator<Item = Self>, elapsed: Duration) -> Summary {
        let mut sum = Self::default();
        for recorder in all {
            // Both have the same bounds.
            let _ = sum.latencies.add(&recorder.latencies);
            let (to, from) = (&mut sum.summary, recorder.summary);
            to.count += from.count;
            to.errors += from.errors;
            to.first_error = to.first_error.take().or(from.first_error);
            to.hits += from.hits;
            to.misses += from.misses;
            to.bytes += from.bytes;
        }
        Summary {
            seconds: elapsed.as_secs_f64(),
            p50: sum.latencies.value_at_quantile(0.5) as f64,
            p99: sum.latencies.value_at_quantile(0.99) as f64,
            longest: sum.latencies.max() as f64,
            ..sum.summary
        }
    }
}
