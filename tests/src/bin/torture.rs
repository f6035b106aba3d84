//! Everything goes wrong, under load, for as long as one likes.

use std::{process::ExitCode, time::Duration};

use clap::Parser;
use feedmill_tests::torture::Torture;

/// Runs a whole Feedmill under load, kills, pauses, cuts off and restarts every part of it at random, heals
/// all, and checks that nothing was lost, doubled or made up
#[derive(Parser)]
struct Arguments {
    /// How long things go wrong
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// What goes wrong and what clients do; a new seed, which is printed, without it
    #[arg(long)]
    seed: Option<u64>,
    /// Clients that give commands
    #[arg(long, default_value_t = 12)]
    clients: usize,
    /// Projectors that share the work
    #[arg(long, default_value_t = 3)]
    projectors: usize,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let seed = arguments
        .seed
        .unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let torture = Torture {
        clients: arguments.clients,
        projectors: arguments.projectors,
        ..Torture::new(seed, Duration::from_secs_f64(60.0 * arguments.minutes))
    };
    match torture.run().await {
        Ok(verdict) => {
            println!("seed {seed}: nothing lost, nothing doubled, nothing made up: {verdict}");
            ExitCode::SUCCESS
        }
        Err(wrong) => {
            println!("FAILED: {wrong}");
            ExitCode::FAILURE
        }
    }
}
