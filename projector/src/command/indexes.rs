//! `projector indexes`

pub mod advice;
pub mod inspect;

use std::fmt::Write as _;

use serde::Serialize;
use sqlx::PgConnection;

use self::{
    advice::{advice, bytes},
    inspect::{Inspection, inspect},
};
use super::common::{connect, format_time, print};
use crate::config::Config;

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Print one JSON object, for programs
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
pub struct Report {
    #[serde(flatten)]
    pub found: Inspection,
    pub advice: Vec<String>,
}

/// Prints the report.
pub async fn indexes(args: &Args, config: &Config) -> anyhow::Result<()> {
    let mut connection = connect(config).await?;
    print(&report(&mut connection).await?, args.json, text)
}

/// The indexes and tables of the log, the state and the read models. Reads only PostgreSQL's statistics, so it takes no locks that others
/// wait for.
pub async fn report(db: &mut PgConnection) -> sqlx::Result<Report> {
    let found = inspect(db).await?;
    let advice = advice(&found);
    Ok(Report { found, advice })
}

fn text(report: &Report) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    let Inspection {
        counted_since,
        indexes,
        tables,
    } = &report.found;
    let since = counted_since.map_or_else(|| "the tables were made".to_owned(), format_time);
    writeln!(out, "Counted since {since}, or since the last rebuild\n")?;
    writeln!(
        out,
        "{:<50} {:>9} {:>12} {:>14} {:>6}",
        "INDEX", "SIZE", "SCANS", "ENTRIES READ", "BLOAT"
    )?;
    for index in indexes {
        let bloat = index
            .bloat
            .map_or_else(|| "?".to_owned(), |bloat| format!("{:.0} %", bloat * 100.0));
        writeln!(
            out,
            "{:<50} {:>9} {:>12} {:>14} {bloat:>6}",
            format!("{}.{}", index.schema, index.name),
            bytes(index.bytes),
            index.scans,
            index.entries_read,
        )?;
    }
    writeln!(
        out,
        "\n{:<50} {:>9} {:>12} {:>14} {:>12}",
        "TABLE", "SIZE", "SEQ SCANS", "ROWS SCANNED", "INDEX SCANS"
    )?;
    for table in tables {
        writeln!(
            out,
            "{:<50} {:>9} {:>12} {:>14} {:>12}",
            format!("{}.{}", table.schema, table.name),
            bytes(table.bytes),
            table.sequential_scans,
            table.rows_scanned,
            table.index_scans,
        )?;
    }
    writeln!(out, "\nAdvice")?;
    for sentence in &report.advice {
        writeln!(out, "- {sentence}")?;
    }
    if report.advice.is_empty() {
        writeln!(out, "none")?;
    }
    Ok(out)
}
