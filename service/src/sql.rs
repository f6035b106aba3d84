//! Connection options for PostgreSQL, and the names of statements.

pub mod slow_statements;

use std::{
    future::Future,
    str::FromStr,
    time::{Duration, Instant},
};

use log::LevelFilter;
use sqlx::{ConnectOptions as _, postgres::PgConnectOptions};
use tracing::{Instrument, field::Empty};

use crate::slow;

/// The server cancels a statement after this time, so that the statement of a dropped request frees its connection.
const STATEMENT_TIMEOUT: &str = "15s";

/// The server ends the transaction of an unresponsive client after this time, so that it cannot hold locks for ever.
const IDLE_IN_TRANSACTION_TIMEOUT: &str = "60s";

/// The maximum age of a connection: the relation cache of its server process only grows.
pub const MAX_CONNECTION_AGE: Duration = Duration::from_mins(30);

/// Runs a statement with the span `sql.<name>` and the metrics `sql_duration_seconds{statement}` and
/// `db_query_latency_seconds`. The statement's text must begin with `/* name */`, which is its name in the logs, both of the
/// server and of this process.
pub async fn named<T>(
    name: &'static str,
    future: impl Future<Output = sqlx::Result<T>>,
) -> sqlx::Result<T> {
    let span = tracing::info_span!(
        "sql",
        otel.name = format!("sql.{name}"),
        otel.kind = "client",
        otel.status_code = Empty,
        db.system.name = "postgresql",
        statement = name,
    );
    let timed = Timed {
        name,
        start: Instant::now(),
    };
    let result = future.instrument(span.clone()).await;
    drop(timed);
    if result.is_err() {
        span.record("otel.status_code", "ERROR");
        metrics::counter!("sql_errors_total", "statement" => name).increment(1);
    }
    result
}

/// Records how long a statement took when it ends, or when nobody waits for it any more: what is given up is the slowest of all.
struct Timed {
    name: &'static str,
    start: Instant,
}

impl Drop for Timed {
    fn drop(&mut self) {
        let took = self.start.elapsed();
        metrics::histogram!("sql_duration_seconds", "statement" => self.name).record(took);
        metrics::histogram!("db_query_latency_seconds").record(took);
    }
}

/// The options that all connections have. Errors: an invalid URL.
pub fn base_options(url: &str, application_name: &str) -> sqlx::Result<PgConnectOptions> {
    Ok(PgConnectOptions::from_str(url)?
        .application_name(application_name)
        .log_slow_statements(LevelFilter::Warn, slow::statements().first())
        .options([("timezone", "UTC")]))
}

/// The connection options of the services: statements are cancelled after 15 s, idle transactions after 60 s. A
/// statement that needs longer sets `SET LOCAL statement_timeout`. `search_path` is for connections that only read read
/// models. Errors: an invalid URL.
pub fn options(
    url: &str,
    application_name: &str,
    search_path: Option<&str>,
) -> sqlx::Result<PgConnectOptions> {
    let options = base_options(url, application_name)?.options([
        ("statement_timeout", STATEMENT_TIMEOUT),
        (
            "idle_in_transaction_session_timeout",
            IDLE_IN_TRANSACTION_TIMEOUT,
        ),
        // Statements take milliseconds, compiling one takes 100 ms. The planner's estimates for tables without
        // statistics are high enough to make it compile.
        ("jit", "off"),
    ]);
    Ok(match search_path {
        // Each statement on read models has one good plan for all values, which uses indexes. It is planned once
        // (planning the digest takes 0.8 ms), even if that is while a table is still empty.
        Some(search_path) => options.options([
            ("search_path", search_path),
            ("plan_cache_mode", "force_generic_plan"),
            ("enable_seqscan", "off"),
        ]),
        None => options,
    })
}
