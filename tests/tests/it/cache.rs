//! Cached answers are not stale, at any instance of read-api.

use feedmill_tests::{
    kit::{Stack, StackConfig, setting},
    property::check_cached,
};

/// A read without a position is not stale a second after the last command; a read with one never is. `CACHE_SEEDS`
/// makes the test longer.
#[tokio::test(flavor = "multi_thread")]
async fn cached_reads_equal_their_definitions() {
    let seeds = setting("CACHE_SEEDS").map_or(2, |text| text.parse().expect("a number"));
    let stack = Stack::start(StackConfig {
        read: 2,
        feed_depth: 3,
        ..StackConfig::default()
    })
    .await;
    for seed in (20_260_201..).take(seeds) {
        let done = check_cached(&stack, seed, 180).await;
        let cached = done.unwrap_or_else(|failure| panic!("{failure}"));
        println!("{cached:?}");
        assert!(
            cached.hits > 100,
            "too few answers came from the cache: {cached:?}"
        );
    }
}
