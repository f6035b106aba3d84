//! A longer property test: random sequences of commands until the time is over or one fails.

use std::time::{Duration, Instant};

use clap::Parser;
use feedmill_tests::{
    kit::{Stack, StackConfig},
    property,
};

/// Runs random commands against real servers and compares every read with an oracle.
#[derive(Parser)]
struct Arguments {
    /// Duration in minutes
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// Commands in a sequence, about
    #[arg(long, default_value_t = 200)]
    commands: usize,
    /// The first seed, to repeat a known sequence; random by default
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
        let stack = Stack::start(StackConfig {
            write: 2,
            feed_depth: 3,
            ..StackConfig::default()
        })
        .await;
        // A new stack now and then: what earlier sequences left behind makes it slower.
        for _ in 0..50 {
            match property::check(&stack, seed, arguments.commands).await {
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
