//! What the cache counts.

use metrics::{Counter, Gauge, counter, gauge};

/// `cache_requests_total{result}`: a `hit` is answered from memory, a `miss` loads, of which `stale` ones were
/// there and no longer good, and who has `joined` waits for somebody else's load.
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
        // Handles of before the recorder would stay without effect.
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
