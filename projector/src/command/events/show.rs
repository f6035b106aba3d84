//! One event: what it says, what it did, and what operators did with it.

use std::fmt::Write as _;

use anyhow::Context as _;
use feedmill_events::Partition;
use serde::Serialize;
use sqlx::PgConnection;

use super::filter::Texts;
use crate::{
    audit::{self, Recorded},
    command::common::{connect, format_time, partition, print},
    config::Config,
    effects::{Effect, effects},
    history::{self, ShownEvent},
};

/// The number of audit entries that are shown.
const MAX_AUDIT_ENTRIES: i64 = 20;

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The partition and the sequence number, such as 12:345
    #[arg(value_parser = place)]
    event: (Partition, i64),
    #[command(flatten)]
    texts: Texts,
    /// Print one JSON object, for programs
    #[arg(long)]
    json: bool,
}

/// An event and its consequences.
#[derive(Debug, Serialize)]
pub struct EventReport {
    pub event: ShownEvent,
    /// One for each projection.
    pub effects: Vec<Effect>,
    /// What operators did with the event, latest first.
    pub audit: Vec<Recorded>,
}

/// None if the log has no such event.
pub async fn event_report(
    (partition, seq): (Partition, i64),
    with_texts: bool,
    db: &mut PgConnection,
) -> anyhow::Result<Option<EventReport>> {
    let records = history::records(&[(partition, seq)], db).await?;
    let Some(record) = records.first() else {
        return Ok(None);
    };
    let event = ShownEvent::new(record, with_texts);
    let filter = audit::Filter {
        event: Some((partition, seq)),
        ..audit::Filter::default()
    };
    Ok(Some(EventReport {
        effects: effects(&event, with_texts, db).await?,
        audit: audit::list(&filter, None, MAX_AUDIT_ENTRIES, db).await?,
        event,
    }))
}

pub async fn show(args: &Args, config: &Config) -> anyhow::Result<()> {
    let (partition, seq) = args.event;
    let mut db = connect(config).await?;
    let id = format!("event {partition}:{seq}");
    args.texts.record(Some(args.event), &id, &mut db).await?;
    let report = event_report(args.event, args.texts.texts, &mut db).await?;
    let report = report.with_context(|| format!("the log has no {id}"))?;
    print(&report, args.json, text)
}

fn text(report: &EventReport) -> Result<String, std::fmt::Error> {
    let (mut out, event) = (String::new(), &report.event);
    let at = event.at.map(format_time).unwrap_or_default();
    writeln!(out, "{}  {}  {at}", event.id(), event.kind)?;
    match (&event.data, &event.error) {
        (Some(data), _) => writeln!(out, "{data:#}")?,
        (None, error) => writeln!(out, "{}", error.as_deref().unwrap_or_default())?,
    }
    writeln!(out)?;
    for effect in &report.effects {
        writeln!(out, "{:<15} {}", effect.projection, effect.state.sentence())?;
        for row in &effect.rows {
            writeln!(out, "    {} {}", row.table, row.row)?;
        }
    }
    if !report.audit.is_empty() {
        writeln!(out, "\nAudit log, latest first")?;
    }
    for entry in &report.audit {
        let at = format_time(entry.at);
        let what = entry.action_and_place();
        writeln!(out, "  {at}  {}  {what}: {}", entry.by, entry.reason)?;
    }
    Ok(out)
}

/// Parses `12:345`.
pub fn place(text: &str) -> Result<(Partition, i64), String> {
    let (one, seq) = text
        .split_once(':')
        .ok_or("an event is written as its partition and its sequence number, such as 12:345")?;
    let seq = seq.parse().ok().filter(|seq| *seq > 0);
    Ok((
        partition(one)?,
        seq.ok_or("a sequence number is a number from 1 on")?,
    ))
}
