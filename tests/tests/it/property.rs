//! Every read equals its definition.

use feedmill_tests::{
    kit::{Stack, StackConfig, setting},
    property::{REGRESSIONS, check},
};

/// `PROPERTY_SEEDS` and `PROPERTY_COMMANDS` make the test longer; `cargo run -p feedmill-tests --bin property` runs
/// for a given time.
#[tokio::test(flavor = "multi_thread")]
async fn reads_equal_their_definitions() {
    let number = |name: &str, default: usize| {
        setting(name).map_or(default, |text| text.parse().expect("a number"))
    };
    let commands = number("PROPERTY_COMMANDS", 150);
    let first = 20_260_101;
    let seeds = (first..)
        .take(number("PROPERTY_SEEDS", 5))
        .map(|seed| (seed, commands));
    let stack = Stack::start(StackConfig {
        feed_depth: 3,
        ..StackConfig::default()
    })
    .await;
    let mut reads = 0;
    for (seed, commands) in REGRESSIONS.iter().copied().chain(seeds) {
        match check(&stack, seed, commands).await {
            Ok(count) => reads += count,
            Err(failure) => panic!("{failure}"),
        }
    }
    println!("{reads} reads");
}
