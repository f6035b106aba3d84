//! Connections to PostgreSQL.

use std::{
    future::Future,
    io,
    time::{Duration, Instant},
};

use feedmill_service::sql::{MAX_CONNECTION_AGE, base_options};
use sqlx::{ConnectOptions as _, PgConnection, postgres::PgConnectOptions};
use tokio::time::timeout;

use crate::{projection::Definition, schema::CONTROL_SCHEMA};

/// How long the server may take to answer before the connection is considered lost.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// For the control schema: heartbeats and operators' commands. Errors: an invalid URL.
pub fn control_options(url: &str) -> sqlx::Result<PgConnectOptions> {
    Ok(base_options(url, "projector")?.options([
        ("search_path", CONTROL_SCHEMA),
        ("statement_timeout", "10s"),
        ("idle_in_transaction_session_timeout", "10s"),
    ]))
}

/// For the live tables of one projection. Errors: an invalid URL.
///
/// Differs from `service::sql::options`:
/// - Every statement finds few rows by their keys. A plan made while a table is empty would scan it, and be reused for
///   hours while the table grows. So sequential scans and the joins that need them are disabled, and JIT with them, since
///   disabled plans have huge costs. Only one plan is left, so a generic one is made once: planning `projector.advance`
///   took twice as long as executing it.
/// - Commits wait for the disk, which is PostgreSQL's default. The log could restore what a crash of the server undoes,
///   but read-api, which remembers how far a projection was, would serve the older state as if it were the newer one.
/// - A transaction never waits for anything but the server. One that is idle belongs to a stopped process, and its locks
///   block the instances that took over the partitions, so the server ends it soon.
/// - The statement timeout is long because a post of an author with many followers takes a while.
pub fn projection_options(url: &str, projection: &Definition) -> sqlx::Result<PgConnectOptions> {
    let application_name = format!("projector {}", projection.name());
    Ok(base_options(url, &application_name)?.options([
        (
            "search_path",
            format!("{},{CONTROL_SCHEMA}", projection.name()).as_str(),
        ),
        ("enable_seqscan", "off"),
        ("enable_hashjoin", "off"),
        ("enable_mergejoin", "off"),
        ("plan_cache_mode", "force_generic_plan"),
        ("jit", "off"),
        ("statement_timeout", "60s"),
        ("idle_in_transaction_session_timeout", "2s"),
    ]))
}

/// A connection of one task, opened when it is needed and replaced after a while.
///
/// Not a pool: sqlx's pool adds two round trips per transaction to check the returned connection, and a server that goes
/// silent during such a check would occupy a place in the pool for ever (sqlx issue 4349). A task that abandons a
/// statement calls [`LazyConnection::discard`] instead.
#[derive(Debug)]
pub struct LazyConnection {
    options: PgConnectOptions,
    connection: Option<(PgConnection, Instant)>,
}

impl LazyConnection {
    pub fn new(options: PgConnectOptions) -> Self {
        Self {
            options,
            connection: None,
        }
    }

    /// Opens the connection if necessary. Errors: the server is unreachable or does not answer.
    pub async fn get(&mut self) -> sqlx::Result<&mut PgConnection> {
        self.connection
            .take_if(|(_, made)| made.elapsed() > MAX_CONNECTION_AGE);
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => (with_timeout(self.options.connect()).await?, Instant::now()),
        };
        Ok(&mut self.connection.insert(connection).0)
    }

    /// Drops the connection. The server ends what was running on it.
    pub fn discard(&mut self) {
        self.connection = None;
    }
}

/// For statements that a reachable server answers at once. Errors: also a server that does not answer within 5 s.
pub async fn with_timeout<T>(statement: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    timeout(RESPONSE_TIMEOUT, statement)
        .await
        .unwrap_or_else(|_| Err(sqlx::Error::Io(io::ErrorKind::TimedOut.into())))
}
