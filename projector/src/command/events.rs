//! `projector events dump|tail|count`

use std::{
    io::{BufWriter, ErrorKind, Write as _},
    time::{Duration, SystemTime},
};

use anyhow::Context as _;
use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Subcommand, builder::PossibleValuesParser};
use feedmill_events::{Envelope, Event, EventType, Partition};
use feedmill_service::nats;
use serde::Serialize;
use sqlx::{PgPool, postgres::PgPoolOptions};

use super::common::partition;
use crate::{
    config::Config,
    connection,
    history::{self, EventStream, Part, Record},
    secrets::ProjectorSecrets,
};

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Clone, Subcommand)]
enum Action {
    /// Print the events in the log, one JSON object per line
    Dump(Filter),
    /// Print new events as they are appended; with --from or --since, first earlier ones
    Tail(Filter),
    /// Print the number of events by type
    Count(Filter),
}

#[derive(Debug, Clone, clap::Args)]
struct Filter {
    /// Only events of this partition, 0 to 63
    #[arg(long, value_parser = partition)]
    partition: Option<Partition>,
    /// Start with this sequence number in each partition
    #[arg(long, value_name = "SEQ", value_parser = clap::value_parser!(i64).range(1..))]
    from: Option<i64>,
    /// Only events of this type
    #[arg(long = "type", value_name = "NAME", value_parser = PossibleValuesParser::new(EventType::ALL.iter().map(|event_type| event_type.name())))]
    kind: Option<String>,
    /// Only events since this time: RFC 3339, or how long ago, such as 90s, 15m, 2h or 3d
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<DateTime<Utc>>,
    /// At most this many events
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

/// A line of output.
#[derive(Serialize)]
struct Line<'a> {
    partition: u8,
    seq: i64,
    at: String,
    #[serde(rename = "type")]
    kind: &'a str,
    /// The version of `data`. Older versions are upcast.
    version: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<&'a str>,
    data: &'a Event,
}

/// A line for an event that cannot be decoded.
#[derive(Serialize)]
struct UndecodableLine<'a> {
    partition: u8,
    seq: i64,
    #[serde(rename = "type")]
    kind: &'a str,
    error: String,
}

#[derive(Serialize)]
struct Count {
    #[serde(rename = "type")]
    kind: String,
    count: i64,
}

pub async fn events(args: &Args, config: &Config) -> anyhow::Result<()> {
    let result = print(args, config).await;
    // The reader has closed the pipe.
    match &result {
        Err(error) if error.downcast_ref().is_some_and(is_broken_pipe) => Ok(()),
        _ => result,
    }
}

fn is_broken_pipe(error: &std::io::Error) -> bool {
    error.kind() == ErrorKind::BrokenPipe
}

async fn print(args: &Args, config: &Config) -> anyhow::Result<()> {
    let (Action::Dump(filter) | Action::Tail(filter) | Action::Count(filter)) = &args.action;
    let options = connection::control_options(&config.database_url)
        .context("PROJECTOR_DATABASE_URL is not a PostgreSQL URL")?
        .options([("statement_timeout", "0")]);
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .connect_lazy_with(options);
    let part = Part {
        partitions: filter
            .partition
            .map_or_else(|| Partition::all().collect(), |one| vec![one]),
        from: filter.from,
        since: filter.since,
    };
    let mut out = BufWriter::new(std::io::stdout().lock());
    if let Action::Count(_) = args.action {
        for (kind, count) in history::count(&pool, &part, filter.kind.as_deref()).await? {
            write_line(&mut out, &Count { kind, count })?;
        }
        return Ok(out.flush()?);
    }
    let is_tail = matches!(args.action, Action::Tail(_));
    let mut remaining = filter.limit.unwrap_or(u64::MAX);
    if remaining == 0 {
        return Ok(());
    }
    let sink = |record: &Record| {
        if write_record(&mut out, record, filter)? {
            remaining -= 1;
            if is_tail {
                out.flush()?;
            }
        }
        Ok(remaining > 0)
    };
    let stream = stream(config, &pool).await?;
    if is_tail {
        history::tail(&pool, stream, &part, sink).await?;
    } else {
        history::dump(&pool, stream, &part, sink).await?;
    }
    Ok(out.flush()?)
}

/// Writes a record that matches the filter. Returns whether it matched.
fn write_record(
    out: &mut impl std::io::Write,
    record: &Record,
    filter: &Filter,
) -> anyhow::Result<bool> {
    if filter
        .kind
        .as_ref()
        .is_some_and(|kind| *kind != record.kind)
    {
        return Ok(false);
    }
    let (partition, seq, kind) = (record.partition.number(), record.seq, record.kind.as_str());
    let decoded = Envelope::decode(&record.body).map_err(|error| error.to_string());
    let event = decoded.and_then(|envelope| {
        let at = DateTime::from_timestamp_millis(envelope.at);
        at.map(|at| (at, envelope.event))
            .ok_or_else(|| format!("{} ms is not a valid time", envelope.at))
    });
    match event {
        Ok((at, _)) if filter.since.is_some_and(|since| at < since) => return Ok(false),
        Ok((at, event)) => write_line(
            out,
            &Line {
                partition,
                seq,
                at: at.to_rfc3339_opts(SecondsFormat::Millis, true),
                kind,
                version: event.event_type().version(),
                trace: record.trace.as_deref(),
                data: &event,
            },
        )?,
        Err(error) => write_line(
            out,
            &UndecodableLine {
                partition,
                seq,
                kind,
                error,
            },
        )?,
    }
    Ok(true)
}

fn write_line(out: &mut impl std::io::Write, line: &impl Serialize) -> anyhow::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    Ok(out.write_all(&text)?)
}

/// The stream; None if NATS is unreachable. Errors: the log cannot be read either.
async fn stream(config: &Config, pool: &PgPool) -> anyhow::Result<Option<EventStream>> {
    match nats::connect_once(&config.nats, "projector").await {
        Ok(client) => {
            let key = ProjectorSecrets::read(&mut *pool.acquire().await?)
                .await?
                .events;
            Ok(Some(EventStream { client, key }))
        }
        Err(error) => {
            tracing::warn!(%error, "events: cannot connect to NATS, reading from PostgreSQL");
            Ok(None)
        }
    }
}

fn since(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(at.to_utc());
    }
    let invalid =
        || "a time is written as 2026-01-31T12:00:00Z, or as 90s, 15m, 2h or 3d ago".to_owned();
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3_600,
        Some('d') => 86_400,
        _ => return Err(invalid()),
    };
    let count: u64 = text[..text.len() - 1].parse().map_err(|_| invalid())?;
    let ago = count.checked_mul(unit).map(Duration::from_secs);
    let at = ago.and_then(|ago| SystemTime::now().checked_sub(ago));
    at.map(DateTime::from).ok_or_else(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_time_or_a_duration_before_now() {
        assert_eq!(
            since("2026-01-31T12:00:00Z").unwrap().timestamp(),
            1_769_860_800
        );
        let hour = DateTime::<Utc>::from(SystemTime::now()) - since("60m").unwrap();
        assert!((3_599..=3_601).contains(&hour.num_seconds()));
        for invalid in [
            "",
            "5",
            "m",
            "-5m",
            "5w",
            "yesterday",
            "99999999999999999999d",
        ] {
            assert!(since(invalid).is_err(), "{invalid:?}");
        }
    }
}
