//! Connections to PostgreSQL, and names for statements.

use std::{
    future::Future,
    str::FromStr,
    time::{Duration, Instant},
};

use sqlx::{
    Connection, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tracing::{Instrument, field::Empty};

/// How long a request waits for a connection before it is told 503.
pub const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

/// The server stops a statement after this, so that one whose request is gone frees its connection.
const STATEMENT_TIMEOUT: &str = "15s";

/// The server ends a transaction whose client has gone silent, so that it cannot hold locks for ever.
const IDLE_IN_TRANSACTION_TIMEOUT: &str = "60s";

/// A connection that was idle for less is handed out unasked: most requests save a round trip.
pub const TRUSTED: Duration = Duration::from_secs(1);

/// How long an idle connection may take to answer before a new one is made in its place.
pub const IDLE_PING: Duration = Duration::from_millis(500);

/// How long a connection that comes back may take to finish what was abandoned on it (the statement of a
/// request that is gone, a rollback). sqlx 0.9 itself waits for ever, and so loses a place in the pool for
/// each connection whose server went silent, until none is left (sqlx issue 4349).
pub const RELEASE_PING: Duration = Duration::from_secs(5);

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

/// A pool of connections with these [`options`], that needs no server to be made, and that comes back by itself when
/// the server was away.
pub async fn pool(
    url: &str,
    application_name: &str,
    max_connections: u32,
    search_path: Option<&str>,
) -> sqlx::Result<PgPool> {
    let options = options(url, application_name, search_path)?;
    let pool = PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .max_lifetime(MAX_AGE)
        .idle_timeout(Duration::from_mins(5));
    let pool = outliving_silence(pool).connect_lazy_with(options);
    if let Err(error) = pool.acquire().await {
        tracing::warn!(%error, "PostgreSQL does not answer yet; connections are tried when needed");
    }
    Ok(pool)
}

/// A pool that throws away connections whose server has gone silent, before they are used and when they come
/// back.
pub fn outliving_silence(pool: PgPoolOptions) -> PgPoolOptions {
    pool.test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for > TRUSTED {
                    answers(connection, IDLE_PING).await?;
                }
                Ok(true)
            })
        })
        .after_release(|connection, _| {
            Box::pin(async { answers(connection, RELEASE_PING).await.map(|()| true) })
        })
}

/// Whether the server answers. Errors: it does not; the connection is to be thrown away.
pub async fn answers(connection: &mut PgConnection, patience: Duration) -> sqlx::Result<()> {
    match tokio::time::timeout(patience, connection.ping()).await {
        Ok(result) => result,
        Err(_) => Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())),
    }
}
