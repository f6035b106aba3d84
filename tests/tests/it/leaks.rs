//! Nobody sees what is not for them.

use std::time::{Duration, Instant};

use feedmill_tests::{
    kit::{Stack, StackConfig, setting},
    leaks::{self, PLANTS},
};

/// A planted leak is found within this time, even on a busy machine.
const PLANT_TIMEOUT: Duration = Duration::from_mins(2);

async fn stack() -> Stack {
    Stack::start(StackConfig {
        read: 2,
        ..StackConfig::default()
    })
    .await
}

/// `LEAK_SECONDS` makes it longer; `cargo run -p feedmill-tests --bin leaks` counts what it has checked.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_sees_what_is_not_for_them_whatever_changes() {
    let seconds = setting("LEAK_SECONDS").map_or(60, |text| text.parse().expect("a number"));
    let stack = stack().await;
    let time = Duration::from_secs(seconds);
    let report = leaks::run(&stack, 20_261_129, 4, time).await;
    let report = report.unwrap_or_else(|error| panic!("{error:#}"));
    assert!(report.changes > 20, "{report:?}");
    println!("{} changes, {} reads", report.changes, report.requests);
}

#[tokio::test(flavor = "multi_thread")]
async fn planted_leaks_are_found() {
    let stack = stack().await;
    for plant in PLANTS {
        let restore = plant.apply(&stack.pool).await.expect("a plant");
        let start = Instant::now();
        let found = loop {
            let run = leaks::run(&stack, rand::random(), 4, Duration::from_secs(10)).await;
            if let Err(error) = run {
                break format!("{error:#}");
            }
            assert!(start.elapsed() < PLANT_TIMEOUT, "not found: {}", plant.name);
        };
        let is_leak = found.contains("GET /v1/") || found.contains("the stream did not tell");
        assert!(is_leak, "{}: {found}", plant.name);
        leaks::execute(&stack.pool, &restore)
            .await
            .expect("the definition");
    }
}
