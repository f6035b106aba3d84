//! The property test for longer: random command sequences until the time is over or one fails.

use std::time::{Duration, Instant};

use clap::Parser;
use feedmill_tests::{
    harness::{Plan, World},
    property,
};

/// Runs random commands against real servers and compares every read with a plain model.
#[derive(Parser)]
struct Arguments {
    /// How long to go on
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// Commands in a sequence
    #[arg(long, default_value_t = 200)]
    commands: usize,
    /// The first seed, for running a known one again
    #[arg(long)]
    seed: Option<u64>,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let end = Instant::now() + Duration::from_secs(60 * arguments.minutes);
    let mut seed = arguments
        .seed
        .unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let (mut sequences, mut reads) = (0, 0);
    while Instant::now() < end {
        let world = World::start(Plan {
            write: 2,
            feed_depth: 3,
            ..Plan::default()
        })
        .await;
        // A new world now and then: an old one has ever more in it that is not looked at.
        for _ in 0..50 {
            match property::check(&world, seed, arguments.commands).await {
                Ok(count) => (sequences, reads) = (sequences + 1, reads + count),
                Err(failure) => panic!("{failure}"),
            }
            seed += 1;
            if Instant::now() > end {
                break;
            }
        }
        println!("{sequences} sequences, {reads} reads, no difference; the next seed is {seed}");
    }
}
