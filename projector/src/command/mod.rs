//! What an operator can ask for: one file a subcommand.

mod audit;
mod pause;
mod skip;
mod status;

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
