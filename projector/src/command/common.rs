//! What several subcommands use.

use std::fmt;

use anyhow::Context as _;
use chrono::{DateTime, SecondsFormat, Utc};
use feedmill_events::Partition;
use serde::Serialize;
use sqlx::{ConnectOptions as _, PgConnection};

use crate::{config::Config, connection};

/// Connects to the control schema.
pub async fn connect(config: &Config) -> anyhow::Result<PgConnection> {
    let options = connection::control_options(&config.database_url)
        .context("PROJECTOR_DATABASE_URL is not a PostgreSQL URL")?;
    options
        .connect()
        .await
        .context("cannot connect to PostgreSQL")
}

/// Prints a report as JSON or as text for people.
pub fn print<R: Serialize>(
    report: &R,
    json: bool,
    text: impl FnOnce(&R) -> Result<String, fmt::Error>,
) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(report)?);
    } else {
        print!("{}", text(report)?);
    }
    Ok(())
}

/// RFC 3339 in UTC, to the second.
pub fn format_time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Parses an argument.
pub fn partition(text: &str) -> Result<Partition, String> {
    let number: u8 = text
        .parse()
        .map_err(|_| "a partition is a number from 0 to 63".to_owned())?;
    Partition::try_from(number).map_err(|error| error.to_string())
}
