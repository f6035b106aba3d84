//! A longer torture test: random faults under load, then all checks.

use std::{process::ExitCode, time::Duration};

use clap::Parser;
use feedmill_tests::torture::Torture;

/// Runs a whole Feedmill under load; kills, pauses, disconnects and restarts its parts at random; then checks that
/// no acknowledged command was lost or applied twice, and that every read equals its definition
#[derive(Parser)]
struct Arguments {
    /// Duration of the faults in minutes
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Determines faults and commands; random by default, and printed
    #[arg(long)]
    seed: Option<u64>,
    /// Clients that send commands
    #[arg(long, default_value_t = 12)]
    clients: usize,
    /// Instances of the projector
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
        Ok(summary) => {
            println!("seed {seed}: nothing lost, nothing doubled, nothing made up: {summary}");
            ExitCode::SUCCESS
        }
        Err(failures) => {
            println!("FAILED: {failures}");
            ExitCode::FAILURE
        }
    }
}
