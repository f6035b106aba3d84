//! What an operator can ask for: one file a subcommand.

mod pause;
mod skip;
mod status;

use clap::Subcommand;

use crate::Config;

#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Apply events as they come (the default)
    Run,
    /// Show how far every projection is, who projects it, and why something stands still
    Status(status::Args),
    /// Stop a projection, or one partition of it, until `resume`
    Pause(pause::Args),
    /// Let go on what was paused
    Resume(pause::Args),
    /// Pass over the event that blocks a partition now, without applying it
    Skip(skip::Args),
}

/// Does what an operator asked for. `Run` is not among it: that is [`crate::run`].
pub async fn execute(command: Command, config: &Config) -> anyhow::Result<()> {
    match command {
        Command::Run => Ok(()),
        Command::Status(args) => status::status(&args, config).await,
        Command::Pause(args) => pause::pause(&args, config).await,
        Command::Resume(args) => pause::resume(&args, config).await,
        Command::Skip(args) => skip::skip(&args, config).await,
    }
}
