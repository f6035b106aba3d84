//! Memory never shows: whoever reads, at whatever instance, reads what is.

use feedmill_tests::{
    harness::{Plan, World, setting},
    property::check_cached,
};

/// `CACHE_SEEDS` makes it longer.
#[tokio::test(flavor = "multi_thread")]
async fn no_read_is_stale_a_second_after_the_last_command_and_none_with_a_position_ever() {
    let seeds = setting("CACHE_SEEDS").map_or(2, |text| text.parse().expect("a number"));
    let world = World::start(Plan {
        read: 2,
        feed_depth: 3,
        ..Plan::default()
    })
    .await;
    for seed in (20_260_201..).take(seeds) {
        let done = check_cached(&world, seed, 180).await;
        let cached = done.unwrap_or_else(|failure| panic!("{failure}"));
        println!("{cached:?}");
        assert!(cached.hits > 100, "nothing came from memory: {cached:?}");
    }
}
