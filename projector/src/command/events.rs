//! `projector events dump|tail|count|show|lost`

mod filter;
mod lost;
mod show;
mod time;

use std::io::{BufWriter, ErrorKind, Write as _};

use anyhow::Context as _;
use clap::Subcommand;
use feedmill_service::nats;
use serde::Serialize;
use sqlx::{PgPool, postgres::PgPoolOptions};

pub use self::{
    filter::{Filter, Texts},
    show::{EventReport, event_report, place},
    time::parse_time,
};
use crate::{
    config::Config,
    connection,
    history::{self, EventStream, Record, ShownEvent, Subject},
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
    Dump(DumpArgs),
    /// Print new events as they are appended; with --from or --since, first earlier ones
    Tail(DumpArgs),
    /// Print the number of events by type
    Count(Filter),
    /// Print one event, what it did to each read model, and what operators did with it
    Show(show::Args),
    /// After a restore of PostgreSQL, and before write-api starts: print the events that the stream has and the log does not, if
    /// they deleted, blocked, hid or took back something
    Lost(lost::Args),
}

#[derive(Debug, Clone, clap::Args)]
struct DumpArgs {
    #[command(flatten)]
    filter: Filter,
    /// At most this many events
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    #[command(flatten)]
    texts: Texts,
}

/// The number of events of a type.
#[derive(Debug, Serialize)]
pub struct Count {
    #[serde(rename = "type")]
    pub kind: String,
    pub count: i64,
}

pub async fn events(args: &Args, config: &Config) -> anyhow::Result<()> {
    let result = match &args.action {
        Action::Dump(args) => print(args, false, config).await,
        Action::Tail(args) => print(args, true, config).await,
        Action::Count(filter) => print_counts(filter, config).await,
        Action::Show(args) => show::show(args, config).await,
        Action::Lost(args) => lost::lost(args, config).await,
    };
    // The reader has closed the pipe.
    match &result {
        Err(error) if error.downcast_ref().is_some_and(is_broken_pipe) => Ok(()),
        _ => result,
    }
}

fn is_broken_pipe(error: &std::io::Error) -> bool {
    error.kind() == ErrorKind::BrokenPipe
}

/// With one connection, whose statements may take long.
fn pool(config: &Config) -> anyhow::Result<PgPool> {
    let options = connection::control_options(&config.database_url)
        .context("PROJECTOR_DATABASE_URL is not a PostgreSQL URL")?
        .options([("statement_timeout", "0")]);
    let pool = PgPoolOptions::new().max_connections(1);
    Ok(pool.connect_lazy_with(options))
}

async fn print_counts(filter: &Filter, config: &Config) -> anyhow::Result<()> {
    filter.ensure_countable()?;
    let pool = pool(config)?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    for (kind, count) in history::count(&pool, &filter.part(None), filter.kind.as_deref()).await? {
        write_line(&mut out, &Count { kind, count })?;
    }
    Ok(out.flush()?)
}

async fn print(args: &DumpArgs, is_tail: bool, config: &Config) -> anyhow::Result<()> {
    let pool = pool(config)?;
    let mut remaining = args.limit.unwrap_or(u64::MAX);
    if remaining == 0 {
        return Ok(());
    }
    let mut db = pool.acquire().await?;
    let subject = args.filter.subject(&mut db).await?;
    args.texts
        .record(None, &args.filter.to_string(), &mut db)
        .await?;
    drop(db);
    let mut out = BufWriter::new(std::io::stdout().lock());
    let sink = |record: &Record| {
        if write_record(&mut out, record, args, subject.as_ref())? {
            remaining -= 1;
            if is_tail {
                out.flush()?;
            }
        }
        Ok(remaining > 0)
    };
    let part = args.filter.part(subject.as_ref());
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
    args: &DumpArgs,
    subject: Option<&Subject>,
) -> anyhow::Result<bool> {
    let is_of_type = args
        .filter
        .kind
        .as_ref()
        .is_none_or(|kind| *kind == record.kind);
    if !is_of_type || subject.is_some_and(|subject| !subject.is_named_in(&record.body)) {
        return Ok(false);
    }
    let shown = ShownEvent::new(record, args.texts.texts);
    if shown.at.is_some_and(|at| !args.filter.is_within(at)) {
        return Ok(false);
    }
    write_line(out, &shown)?;
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
