//! The metrics of the answer cache.

use metrics::{Counter, Gauge, counter, gauge};

/// `cache_requests_total{result}`: a `hit` is answered from memory and a `miss` is not. Of the misses, `stale` ones found
/// an entry that was no longer fresh, and `joined` ones waited for another request's load.
pub struct Metrics {
    pub hits: Counter,
    pub misses: Counter,
    pub stale: Counter,
    pub joined: Counter,
    pub entries: Gauge,
    pub bytes: Gauge,
}

impl Metrics {
    pub fn new() -> Self {
        // Handles that are made before the recorder have no effect.
        feedmill_service::telemetry::metrics();
        let result = |result: &'static str| counter!("cache_requests_total", "result" => result);
        Self {
            hits: result("hit"),
            misses: result("miss"),
            stale: result("stale"),
            joined: result("joined"),
            entries: gauge!("cache_entries"),
            bytes: gauge!("cache_bytes"),
        }
    }
}
