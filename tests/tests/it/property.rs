//! Promise 3: a read model equals its definition.

use feedmill_tests::{
    harness::{Plan, World, setting},
    property::{REGRESSIONS, check},
};

/// `PROPERTY_SEEDS` and `PROPERTY_COMMANDS` make it longer; `cargo run -p feedmill-tests --bin property`
/// goes on for as long as one likes.
#[tokio::test(flavor = "multi_thread")]
async fn reads_equal_their_definitions() {
    let number = |name: &str, usual: usize| {
        setting(name).map_or(usual, |text| text.parse().expect("a number"))
    };
    let commands = number("PROPERTY_COMMANDS", 150);
    let first = 20_260_101;
    let seeds = (first..)
        .take(number("PROPERTY_SEEDS", 5))
        .map(|seed| (seed, commands));
    let world = World::start(Plan {
        feed_depth: 3,
        ..Plan::default()
    })
    .await;
    let mut reads = 0;
    for (seed, commands) in REGRESSIONS.iter().copied().chain(seeds) {
        match check(&world, seed, commands).await {
            Ok(count) => reads += count,
            Err(failure) => panic!("{failure}"),
        }
    }
    println!("{reads} reads");
}
