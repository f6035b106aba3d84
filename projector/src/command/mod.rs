//! What an operator can ask for: one file a subcommand.

mod audit;
mod events;
mod pause;
mod rebuild;
mod skip;
mod status;

use std::process::ExitCode;

use anyhow::Context as _;
use chrono::{DateTime, SecondsFormat, Utc};
use clap::Subcommand;
use feedmill_events::Partition;
use sqlx::{ConnectOptions as _, PgConnection};

use crate::{Config, store};

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
    /// Make projections' tables anew from the log, beside the live ones, compare, and make them live
    Rebuild(rebuild::RebuildArgs),
    /// Replay the log aside, and compare with what is live; shows the rows that differ
    Verify(rebuild::VerifyArgs),
    /// Make the generation live again that the last rebuild (or rollback) replaced; use the version of this
    /// program that made it
    Rollback(rebuild::OneArgs),
    /// Drop the tables that the last rebuild replaced, so that there is no rollback any more
    DropPrevious(rebuild::OneArgs),
    /// Drop what a rebuild has made that did not end
    Abort(rebuild::OneArgs),
    /// Show the log's events
    Events(events::Args),
}

/// Does what an operator asked for. `Run` is not among it: that is [`crate::run`].
pub async fn execute(command: Command, config: &Config) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run => {}
        Command::Status(args) => status::status(&args, config).await?,
        Command::Pause(args) => pause::pause(&args, config).await?,
        Command::Resume(args) => pause::resume(&args, config).await?,
        Command::Skip(args) => skip::skip(&args, config).await?,
        Command::Events(args) => events::events(&args, config).await?,
        Command::Rebuild(args) => return rebuild::rebuild(&args, config).await,
        Command::Verify(args) => return rebuild::verify(&args, config).await,
        Command::Rollback(args) => return rebuild::rollback(&args, config).await,
        Command::DropPrevious(args) => return rebuild::drop_previous(&args, config).await,
        Command::Abort(args) => return rebuild::abort(&args, config).await,
    }
    Ok(ExitCode::SUCCESS)
}

/// A connection to the books.
async fn connect(config: &Config) -> anyhow::Result<PgConnection> {
    let options = store::books(&config.database_url)
        .context("PROJECTOR_DATABASE_URL is no PostgreSQL URL")?;
    options
        .connect()
        .await
        .context("cannot connect to PostgreSQL")
}

/// As people read it: UTC, to the second.
fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn partition(text: &str) -> Result<Partition, String> {
    let number: u8 = text
        .parse()
        .map_err(|_| "partitions are 0 to 63".to_owned())?;
    Partition::try_from(number).map_err(|error| error.to_string())
}
