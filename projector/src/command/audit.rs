//! `projector audit`

use std::fmt::Write as _;

use super::common::{connect, format_time, print};
use crate::{
    audit::{self, Filter, Recorded},
    config::Config,
    projection::{self, Definition},
};

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Only what this operator did; those of the console are written as console:NAME
    #[arg(long)]
    by: Option<String>,
    /// Only this action, such as pause, skip, cutover or texts
    #[arg(long)]
    action: Option<String>,
    /// Only what concerns this projection
    #[arg(long, value_parser = projection::by_name)]
    projection: Option<&'static Definition>,
    /// At most this many entries, the latest
    #[arg(long, value_name = "N", default_value = "100", value_parser = clap::value_parser!(i64).range(1..))]
    limit: i64,
    /// Print one JSON array, for programs
    #[arg(long)]
    json: bool,
}

/// Prints what operators did, latest first.
pub async fn audit(args: &Args, config: &Config) -> anyhow::Result<()> {
    let filter = Filter {
        by: args.by.clone(),
        action: args.action.clone(),
        projection: args.projection.map(|it| it.name().to_owned()),
        event: None,
    };
    let mut db = connect(config).await?;
    let entries = audit::list(&filter, None, args.limit, &mut db).await?;
    print(&entries, args.json, |entries| text(entries))
}

fn text(entries: &[Recorded]) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    for entry in entries {
        let at = format_time(entry.at);
        let detail = entry.detail.as_ref().map(|detail| format!(" ({detail})"));
        writeln!(
            out,
            "{at}  {}  {}: {}{}",
            entry.by,
            entry.action_and_place(),
            entry.reason,
            detail.unwrap_or_default()
        )?;
    }
    Ok(out)
}
