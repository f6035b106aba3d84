//! Formats the report for people.

use std::{collections::BTreeSet, fmt::Write as _};

use chrono::{DateTime, Utc};

use super::{
    relay::Relay,
    report::{PartitionReport, ProjectionReport, Report, Standing},
};
use crate::command::common::format_time;

/// The number of partitions that are listed per projection: those that do not move, then those with the greatest lag.
const MAX_PARTITIONS: usize = 12;

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
            format!("since {}", format_time(instance.started_at))
        } else {
            format!(
                "DEAD, last heartbeat at {}",
                format_time(instance.heartbeat)
            )
        };
        let projections = instance.projections.join(", ");
        writeln!(out, "{label:<9}  {}  {life}  {projections}", instance.name)?;
    }
    writeln!(out)?;
    writeln!(
        out,
        "{:<15} {:>10} {:>11} {:>12} {:>9}  {:<20}  STATE",
        "PROJECTION", "GENERATION", "LAG EVENTS", "LAG SECONDS", "EVENTS/S", "LAST PROGRESS"
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
        if let Some(line) = rebuilding(p) {
            writeln!(out, "\n{:<15} {line}", p.name)?;
        }
        partitions(p, out)?;
    }
    if !report.audit.is_empty() {
        writeln!(out, "\nAudit log, latest first")?;
    }
    for entry in &report.audit {
        let detail = entry.detail.as_ref().map(|detail| format!(" ({detail})"));
        writeln!(
            out,
            "  {}  {}  {}: {}{}",
            format_time(entry.at),
            entry.by,
            entry.action_and_place(),
            entry.reason,
            detail.unwrap_or_default(),
        )?;
    }
    Ok(())
}

pub fn relay(relay: &Relay) -> String {
    match relay {
        Relay::Ok { lag_events: 0 } => "up to date with the log".to_owned(),
        Relay::Ok { lag_events } => format!("{lag_events} events behind the log"),
        Relay::Behind {
            lag_events,
            lag_seconds,
        } => format!(
            "IS {lag_events} EVENTS BEHIND the log for {lag_seconds:.0} s: the relay of write-api is down or slow; \
             projectors poll the log instead, which is slower"
        ),
        Relay::Forked { partitions } => format!(
            "HAS EVENTS THAT THE LOG DOES NOT HAVE, in partitions {partitions:?}: the relay of write-api removes them when \
             it runs; projectors do not apply them"
        ),
        Relay::Unknown { reason } => {
            format!("UNKNOWN: {reason}; projectors without a connection to NATS poll the log")
        }
    }
}

fn state(p: &ProjectionReport) -> String {
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
        (false, _) => format!("NOT MOVING: {} of 64", standing.join(", ")),
        (true, 0) => "up to date".to_owned(),
        (true, _) => "catching up".to_owned(),
    };
    if owners.is_empty() {
        state
    } else {
        format!("{state}; {}", owners.join(", "))
    }
}

/// The rebuild, verification or rollback that runs, or the rebuild that is unfinished.
pub fn rebuilding(p: &ProjectionReport) -> Option<String> {
    let head: i64 = p.partitions.iter().map(|it| it.head).sum();
    match (&p.rebuilding, p.is_locked) {
        (None, false) => None,
        (None, true) => Some("a verification or a rollback is running".to_owned()),
        (Some(it), is_running) => Some(format!(
            "the rebuild of generation {} {}: phase {}, {} of {head} events, since {}",
            it.generation,
            if is_running {
                "is running"
            } else {
                "is not running and continues at the next `rebuild`"
            },
            it.phase,
            it.applied,
            format_time(it.started_at),
        )),
    }
}

/// Lists the partitions that do not move or are behind, or one line for a reason that all partitions share.
fn partitions(p: &ProjectionReport, out: &mut String) -> std::fmt::Result {
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
        .map(|r| r.standing.as_ref().map(describe).unwrap_or_default())
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
        "\n{:<15} {:>10} {:>11} {:>11} {:>11} {:>12} {:>9}  {:<20}  OWNER, AND WHY IT DOES NOT MOVE",
        p.name,
        "PARTITION",
        "CHECKPOINT",
        "HEAD",
        "LAG EVENTS",
        "LAG SECONDS",
        "EVENTS/S",
        "LAST PROGRESS",
    )?;
    for r in shown.iter().take(MAX_PARTITIONS) {
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
            r.owner.as_deref().unwrap_or("none"),
            r.standing.as_ref().map(describe).unwrap_or_default(),
        )?;
    }
    if shown.len() > MAX_PARTITIONS {
        let rest = shown.len() - MAX_PARTITIONS;
        writeln!(
            out,
            "{:<15} … and {rest} more; --json prints all of them",
            ""
        )?;
    }
    Ok(())
}

pub fn describe(standing: &Standing) -> String {
    match standing {
        Standing::Paused(paused) => format!(
            "; PAUSED by {} since {}: {}",
            paused.by,
            format_time(paused.since),
            paused.reason
        ),
        Standing::Blocked(blocked) => format!(
            "; BLOCKED at {} since {} after {} attempts: {}",
            blocked.seq,
            format_time(blocked.since),
            blocked.attempts,
            blocked.error
        ),
        Standing::Unowned {
            last: Some(last),
            heard,
        } => format!("; UNOWNED: {last} died, last heartbeat at {}", at(*heard)),
        Standing::Unowned { last: None, .. } => {
            "; UNOWNED: no projector runs this projection".to_owned()
        }
        Standing::Stalled { seconds } => format!("; STALLED for {seconds:.0} s"),
    }
}

fn at(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(|| "-".to_owned(), format_time)
}
