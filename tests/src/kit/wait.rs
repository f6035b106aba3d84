//! Waiting for a condition.

use std::time::{Duration, Instant};

use tokio::time::sleep;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Polls `condition` until it holds; panics with `what` after 30 seconds. Returns how long it took.
pub async fn wait_until(what: &str, condition: impl AsyncFnMut() -> bool) -> Duration {
    wait_until_within(what, DEFAULT_TIMEOUT, condition).await
}

/// Polls `condition` until it holds; panics with `what` after `timeout`. Returns how long it took.
pub async fn wait_until_within(
    what: &str,
    timeout: Duration,
    mut condition: impl AsyncFnMut() -> bool,
) -> Duration {
    let start = Instant::now();
    while !condition().await {
        assert!(
            start.elapsed() < timeout,
            "still waiting after {timeout:?}: {what}"
        );
        sleep(POLL_INTERVAL).await;
    }
    start.elapsed()
}
