//! The metrics of the caches.

use metrics::{Counter, counter};

/// `cache_requests_total{cache,result}` of one kind of entry.
#[derive(Debug)]
pub struct Lookups {
    hits: Counter,
    misses: Counter,
}

impl Lookups {
    pub fn of(cache: &'static str) -> Self {
        Self {
            hits: result(cache, "hit"),
            misses: result(cache, "miss"),
        }
    }

    pub fn record(&self, hits: usize, misses: usize) {
        self.hits.increment(hits as u64);
        self.misses.increment(misses as u64);
    }

    /// Counts a lookup, and returns what it found.
    pub fn recorded<T>(&self, found: Option<T>) -> Option<T> {
        let hits = usize::from(found.is_some());
        self.record(hits, 1 - hits);
        found
    }
}

/// The counter of one result of lookups.
pub fn result(cache: &'static str, result: &'static str) -> Counter {
    // Handles that are made before the recorder have no effect.
    feedmill_service::telemetry::metrics();
    counter!("cache_requests_total", "cache" => cache, "result" => result)
}

/// `cache_evictions_total{cache}`.
pub fn evictions(cache: &'static str) -> Counter {
    feedmill_service::telemetry::metrics();
    counter!("cache_evictions_total", "cache" => cache)
}
