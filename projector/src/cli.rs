//! The command line.

use clap::Parser;

use crate::{command::Command, config::Config};

/// Computes Feedmill's read models from its event log
#[derive(Debug, Parser)]
#[command(name = "projector", version)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub config: Config,
}
