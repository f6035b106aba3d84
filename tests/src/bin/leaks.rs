//! A longer leak test.

use std::time::{Duration, Instant};

use clap::Parser;
use feedmill_tests::{
    kit::{Stack, StackConfig},
    leaks,
};

/// Changes what a reader may see, again and again, and checks every route after each change.
#[derive(Parser)]
struct Arguments {
    /// Duration in minutes
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Scenes that run at once, each with three accounts
    #[arg(long, default_value_t = 6)]
    scenes: u64,
    /// The first seed; random by default
    #[arg(long)]
    seed: Option<u64>,
    /// How often each pair of route and kind of change must be checked
    #[arg(long, default_value_t = 100)]
    at_least: usize,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let seed = arguments.seed.unwrap_or_else(rand::random);
    let stack = Stack::start(StackConfig {
        read: 2,
        ..StackConfig::with_default_limits()
    })
    .await;
    let start = Instant::now();
    let time = Duration::from_secs_f64(60.0 * arguments.minutes);
    let report = match leaks::run(&stack, seed, arguments.scenes, time).await {
        Ok(report) => report,
        Err(error) => panic!("{error:#}"),
    };
    let minutes = start.elapsed().as_secs_f64() / 60.0;
    println!(
        "{} changes of rights, {:.0} a minute; {} reads checked",
        report.changes,
        report.changes as f64 / minutes,
        report.requests
    );
    for ((route, kind), count) in &report.pairs {
        println!("{count:8}  {kind:16}  {route}");
    }
    if let Some(((route, kind), count)) = report.rarest() {
        assert!(
            count >= arguments.at_least,
            "{route} was checked only {count} times after {kind}"
        );
    }
}
