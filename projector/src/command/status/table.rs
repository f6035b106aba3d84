//! The report for people.

use std::{collections::BTreeSet, fmt::Write as _};

use chrono::{DateTime, Utc};

use super::report::{Definition, PartitionReport, Relay, Report, Standing};
use crate::command::moment;

/// So many partitions of a projection are listed: those that stand still, and those that are furthest behind.
const PARTITIONS: usize = 12;

pub fn table(report: &Report) -> String {
    let mut text = String::new();
    let _ = write_all(report, &mut text);
    text
}

fn write_all(report: &Report, out: &mut String) -> std::fmt::Result {
    writeln!(out, "stream     {}", relay(&report.relay))?;
    if report.instances.is_empty() {
        writeln!(out, "instances  none")?;
    }
    for (n, instance) in report.instances.iter().enumerate() {
        let label = if n == 0 { "instances" } else { "" };
        let life = if instance.living {
            format!("since {}", moment(instance.started_at))
        } else {
            format!("DEAD, last heard of {}", moment(instance.heartbeat))
        };
        let projections = instance.projections.join(", ");
        writeln!(out, "{label:<9}  {}  {life}  {projections}", instance.name)?;
    }
    writeln!(out)?;
    writeln!(
        out,
        "{:<15} {:>10} {:>11} {:>12} {:>9}  {:<20}  STATE",
        "DEFINITION", "GENERATION", "LAG EVENTS", "LAG SECONDS", "EVENTS/S", "LAST PROGRESS"
    )?;
    for p in &report.projections {
        writeln!(
            out,
            "{:<15} {:>10} {:>11} {:>12.1} {:>9.0}  {:<20}  {}",
            p.name,
            p.generation,
            p.lag_events,
            p.lag_seconds,
            p.events_per_second,
            at(p.last_progress),
            state(p),
        )?;
    }
    for p in &report.projections {
        partitions(p, out)?;
    }
    if !report.audit.is_empty() {
        writeln!(out, "\nWhat operators did, the latest first")?;
    }
    for deed in &report.audit {
        let place = match (deed.partition, deed.seq) {
            (Some(partition), Some(seq)) => format!(" {partition}:{seq}"),
            (Some(partition), None) => format!(" {partition}"),
            _ => String::new(),
        };
        let detail = deed.detail.as_ref().map(|detail| format!(" ({detail})"));
        writeln!(
            out,
            "  {}  {}  {} {}{place}: {}{}",
            moment(deed.at),
            deed.by,
            deed.action,
            deed.projection,
            deed.reason,
            detail.unwrap_or_default(),
        )?;
    }
    Ok(())
}

fn relay(relay: &Relay) -> String {
    match relay {
        Relay::Ok { lag_events: 0 } => "has all of the log".to_owned(),
        Relay::Ok { lag_events } => format!("{lag_events} events are on their way from the log"),
        Relay::Behind {
            lag_events,
            lag_seconds,
        } => format!(
            "IS {lag_events} EVENTS BEHIND the log for {lag_seconds:.0} s: the relay of write-api is down or slow; \
             projectors read the log instead, and later"
        ),
        Relay::Unknown { reason } => {
            format!("UNKNOWN: {reason}; projectors that cannot reach it either poll the log")
        }
    }
}

fn state(p: &Definition) -> String {
    let owners: Vec<String> = p
        .owners
        .iter()
        .map(|(owner, count)| format!("{count} by {owner}"))
        .collect();
    let standing: Vec<String> = p
        .standing
        .iter()
        .map(|(why, count)| format!("{count} {why}"))
        .collect();
    let state = match (standing.is_empty(), p.lag_events) {
        (false, _) => format!("STANDS STILL: {} of 64", standing.join(", ")),
        (true, 0) => "at the log's head".to_owned(),
        (true, _) => "catching up".to_owned(),
    };
    if owners.is_empty() {
        state
    } else {
        format!("{state}; {}", owners.join(", "))
    }
}

/// Those that stand still or are behind; one line for a reason that all share.
fn partitions(p: &Definition, out: &mut String) -> std::fmt::Result {
    let mut shown: Vec<&PartitionReport> = p
        .partitions
        .iter()
        .filter(|r| r.standing.is_some() || r.lag_events > 0)
        .collect();
    if shown.is_empty() {
        return Ok(());
    }
    let reasons: BTreeSet<String> = p
        .partitions
        .iter()
        .map(|r| r.standing.as_ref().map(why).unwrap_or_default())
        .collect();
    if let (1, Some(reason)) = (reasons.len(), reasons.first())
        && !reason.is_empty()
    {
        return writeln!(out, "\n{:<15} every partition{reason}", p.name);
    }
    let blocked = |r: &PartitionReport| matches!(r.standing, Some(Standing::Blocked(_)));
    shown.sort_by_key(|r| {
        (
            !blocked(r),
            r.standing.is_none(),
            -r.lag_events,
            r.partition,
        )
    });
    writeln!(
        out,
        "\n{:<15} {:>10} {:>11} {:>11} {:>11} {:>12} {:>9}  {:<20}  OWNER, AND WHY IT STANDS STILL",
        p.name,
        "PARTITION",
        "CHECKPOINT",
        "HEAD",
        "LAG EVENTS",
        "LAG SECONDS",
        "EVENTS/S",
        "LAST PROGRESS",
    )?;
    for r in shown.iter().take(PARTITIONS) {
        writeln!(
            out,
            "{:<15} {:>10} {:>11} {:>11} {:>11} {:>12.1} {:>9.0}  {:<20}  {}{}",
            "",
            r.partition.number(),
            r.checkpoint,
            r.head,
            r.lag_events,
            r.lag_seconds,
            r.events_per_second,
            at(r.last_progress),
            r.owner.as_deref().unwrap_or("nobody"),
            r.standing.as_ref().map(why).unwrap_or_default(),
        )?;
    }
    if shown.len() > PARTITIONS {
        let rest = shown.len() - PARTITIONS;
        writeln!(out, "{:<15} … and {rest} more: --json has them all", "")?;
    }
    Ok(())
}

fn why(standing: &Standing) -> String {
    match standing {
        Standing::Paused(paused) => format!(
            "; PAUSED by {} since {}: {}",
            paused.by,
            moment(paused.since),
            paused.reason
        ),
        Standing::Blocked(blocked) => format!(
            "; BLOCKED at {} since {} after {} attempts: {}",
            blocked.seq,
            moment(blocked.since),
            blocked.attempts,
            blocked.error
        ),
        Standing::Unowned {
            last: Some(last),
            heard,
        } => format!("; UNOWNED: {last} died, last heard of {}", at(*heard)),
        Standing::Unowned { last: None, .. } => "; UNOWNED: no projector runs it".to_owned(),
        Standing::Stalled { seconds } => format!("; STALLED for {seconds:.0} s"),
    }
}

fn at(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(|| "-".to_owned(), moment)
}
