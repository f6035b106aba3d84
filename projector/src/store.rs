//! Connections for projections.

use std::{
    future::Future,
    io,
    str::FromStr as _,
    time::{Duration, Instant},
};

use feedmill_service::sql::MAX_AGE;
use sqlx::{ConnectOptions as _, PgConnection, postgres::PgConnectOptions};
use tokio::time::timeout;

use crate::{projection::Definition, schema::BOOKS};

/// A server that does not answer for so long is taken for gone.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// For the books alone: heartbeats, and what operators do. Errors: a URL that is none.
pub fn books(url: &str) -> sqlx::Result<PgConnectOptions> {
    Ok(PgConnectOptions::from_str(url)?
        .application_name("projector")
        .options([
            ("search_path", BOOKS),
            ("statement_timeout", "10s"),
            ("idle_in_transaction_session_timeout", "10s"),
            ("timezone", "UTC"),
        ]))
}

/// For one projection's live tables. Errors: a URL that is none.
///
/// Not `service::sql::options`, since applying wants other settings:
/// - Every statement finds few rows by their keys. A plan that was made while a table was empty would scan
///   it, and be kept for hours while the table grows; so scans and the joins that live on them are out, and
///   with their made-up costs, compilation of plans. And as there is only one way left, it is planned once:
///   planning `projector.advance` anew took twice the time of carrying it out.
/// - Commits wait for the disk, which is PostgreSQL's default, although the log could bring back what a crash
///   of the server undoes: what had been visible for a moment would be gone for another, and read-api, which
///   remembers how far a projection was, would answer from the older state as if it were the newer one.
/// - A transaction never waits for anything but the server. If it does, its process was stopped, and the
///   locks on its partitions keep those who took them over from going on, so the server ends it.
/// - A post of somebody whom very many follow takes a while.
pub fn options(url: &str, projection: &Definition) -> sqlx::Result<PgConnectOptions> {
    Ok(PgConnectOptions::from_str(url)?
        .application_name(&format!("projector {}", projection.name()))
        .options([
            (
                "search_path",
                format!("{},{BOOKS}", projection.name()).as_str(),
            ),
            ("enable_seqscan", "off"),
            ("enable_hashjoin", "off"),
            ("enable_mergejoin", "off"),
            ("plan_cache_mode", "force_generic_plan"),
            ("jit", "off"),
            ("statement_timeout", "60s"),
            ("idle_in_transaction_session_timeout", "2s"),
            ("timezone", "UTC"),
        ]))
}

/// A connection that is made when it is needed, for one task.
///
/// Not a pool: a transaction would be two round trips more, in which the pool asks of a connection that comes back
/// whether it is well, and a server that goes silent during the second one would keep a place in the pool for ever
/// (sqlx issue 4349). Here whoever gives something up says so by [`Store::forget`].
#[derive(Debug)]
pub struct Store {
    options: PgConnectOptions,
    connection: Option<(PgConnection, Instant)>,
}

impl Store {
    pub fn new(options: PgConnectOptions) -> Self {
        Self {
            options,
            connection: None,
        }
    }

    /// Errors: the server is not there, or does not answer.
    pub async fn connection(&mut self) -> sqlx::Result<&mut PgConnection> {
        self.connection
            .take_if(|(_, made)| made.elapsed() > MAX_AGE);
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => (answer(self.options.connect()).await?, Instant::now()),
        };
        Ok(&mut self.connection.insert(connection).0)
    }

    /// Throws the connection away. What was under way on it is the server's to end.
    pub fn forget(&mut self) {
        self.connection = None;
    }
}

/// Of something that a server which is there does at once.
pub async fn answer<T>(statement: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    timeout(ANSWER_WITHIN, statement)
        .await
        .unwrap_or_else(|_| Err(sqlx::Error::Io(io::ErrorKind::TimedOut.into())))
}
