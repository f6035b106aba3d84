//! The operator's subcommands, one file each.

mod audit;
pub mod cache;
pub mod common;
pub mod events;
pub mod explain;
pub mod indexes;
pub mod pause;
pub mod rebuild;
pub mod skip;
pub mod status;

use std::process::ExitCode;

use clap::Subcommand;
use feedmill_service::health;

use self::{common::connect, rebuild::Operation};
use crate::config::Config;

#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Apply events as they arrive (the default)
    Run,
    /// Ask the instance that runs with these settings whether it is ready; fails if it is not. For the health check of a container
    Health,
    /// Show how far each projection is, which instances run it, and why partitions do not move
    Status(status::Args),
    /// Pause a projection, or one of its partitions, until `resume`
    Pause(pause::Args),
    /// Resume a paused projection or partition
    Resume(pause::Args),
    /// Skip the event that currently blocks a partition, without applying it
    Skip(skip::Args),
    /// Rebuild projections from the log beside the live models, compare the two, and cut over if they are equal
    Rebuild(rebuild::RebuildArgs),
    /// Compare the live models with temporary ones made from the log, and print the rows that differ
    Verify(rebuild::VerifyArgs),
    /// Cut over to the generation that the last rebuild or rollback replaced. Use the version of this program that
    /// built it
    Rollback(rebuild::OneArgs),
    /// Drop the tables that the last rebuild replaced. Afterwards there is nothing to roll back to
    DropPrevious(rebuild::OneArgs),
    /// Drop an unfinished rebuild
    Abort(rebuild::OneArgs),
    /// Print the events of the log, without people's texts unless they are asked for
    Events(events::Args),
    /// Show what operators did, and why
    Audit(audit::Args),
    /// Empty or clean up the caches of all read-apis
    Cache(cache::Args),
    /// Show size, use, bloat and redundancy of every index and the sequential scans of every table, with advice
    Indexes(indexes::Args),
    /// Show why somebody sees a post or does not: the rule that decides, and the events behind it. Recorded in the audit log
    Explain(explain::Args),
}

/// Executes a subcommand, except `Run`, for which there is [`crate::run`].
pub async fn execute(command: Command, config: &Config) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run => {}
        Command::Health => health::check(config.admin_listen).await?,
        Command::Status(args) => status::status(&args, config).await?,
        Command::Pause(args) => println!(
            "{}",
            pause::pause(&args, &mut connect(config).await?).await?
        ),
        Command::Resume(args) => println!(
            "{}",
            pause::resume(&args, &mut connect(config).await?).await?
        ),
        Command::Skip(args) => {
            println!("{}", skip::skip(&args, &mut connect(config).await?).await?);
        }
        Command::Audit(args) => audit::audit(&args, config).await?,
        Command::Cache(args) => println!("{}", cache::cache(&args, config).await?),
        Command::Events(args) => events::events(&args, config).await?,
        Command::Indexes(args) => indexes::indexes(&args, config).await?,
        Command::Explain(args) => explain::explain(&args, config).await?,
        Command::Rebuild(args) => return rebuild::rebuild(&args, config).await,
        Command::Verify(args) => return rebuild::verify(&args, config).await,
        Command::Rollback(args) => {
            return rebuild::one(Operation::Rollback, &args, config).await;
        }
        Command::DropPrevious(args) => {
            return rebuild::one(Operation::DropPrevious, &args, config).await;
        }
        Command::Abort(args) => return rebuild::one(Operation::Abort, &args, config).await,
    }
    Ok(ExitCode::SUCCESS)
}
