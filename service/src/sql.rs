//! How to connect to PostgreSQL, and names for statements.

use std::{
    future::Future,
    str::FromStr,
    time::{Duration, Instant},
};

use sqlx::postgres::PgConnectOptions;
use tracing::{Instrument, field::Empty};

/// The server stops a statement after this, so that one whose request is gone frees its connection.
const STATEMENT_TIMEOUT: &str = "15s";

/// The server ends a transaction whose client has gone silent, so that it cannot hold locks for ever.
const IDLE_IN_TRANSACTION_TIMEOUT: &str = "60s";

/// A connection is not used for longer: what a server's process remembers of tables only grows.
pub const MAX_AGE: Duration = Duration::from_mins(30);

/// Runs a statement under its name: the span `sql.<name>` and `sql_duration_seconds{statement}`. The text
/// of the statement itself begins with `/* name */`, so that the server's log says it too.
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
    let start = Instant::now();
    let result = future.instrument(span.clone()).await;
    metrics::histogram!("sql_duration_seconds", "statement" => name).record(start.elapsed());
    if result.is_err() {
        span.record("otel.status_code", "ERROR");
        metrics::counter!("sql_errors_total", "statement" => name).increment(1);
    }
    result
}

/// How the services connect: statements end after 15 s and silent transactions after 60 s; what needs longer says so
/// with `SET LOCAL statement_timeout`. With a `search_path` it is to be read from read models only. Errors: a URL
/// that is none.
pub fn options(
    url: &str,
    application_name: &str,
    search_path: Option<&str>,
) -> sqlx::Result<PgConnectOptions> {
    let options = PgConnectOptions::from_str(url)?
        .application_name(application_name)
        .options([
            ("statement_timeout", STATEMENT_TIMEOUT),
            (
                "idle_in_transaction_session_timeout",
                IDLE_IN_TRANSACTION_TIMEOUT,
            ),
            ("timezone", "UTC"),
            // Statements take milliseconds here. Compiling one takes a hundred, and the planner's guesses
            // about tables that have no statistics yet are enough to make it do so.
            ("jit", "off"),
        ]);
    Ok(match search_path {
        // Read models' statements have one good plan whatever their values are, and that is by index: they are
        // planned once (the digest's took 0.8 ms each time), also if that is while a table is empty.
        Some(search_path) => options.options([
            ("search_path", search_path),
            ("plan_cache_mode", "force_generic_plan"),
            ("enable_seqscan", "off"),
        ]),
        None => options,
    })
}
