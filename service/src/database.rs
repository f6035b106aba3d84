//! The connection pool for requests to PostgreSQL.
//!
//! It is built on deadpool instead of sqlx's own pool. sqlx pings the server each time a connection is returned, in a
//! background task. That doubles the round trips of a read, which is one statement of a fraction of a millisecond; and
//! if the server stops responding at that moment, the ping never ends and the slot is lost (sqlx issue 4349). This pool
//! pings only connections that were idle for long or whose statement was cancelled, and with a timeout.

use std::{
    ops::{Deref, DerefMut},
    time::{Duration, Instant},
};

use deadpool::{
    Runtime,
    managed::{self, Metrics, Object, Pool, PoolError, QueueMode, RecycleError, RecycleResult},
};
use metrics::{counter, gauge, histogram};
use serde::Serialize;
use sqlx::{
    Connection as _, PgConnection, Postgres,
    postgres::{PgArguments, PgConnectOptions, PgDatabaseError, PgRow, PgSeverity},
    query::{Map, Query},
};
use tokio::{
    runtime::Handle,
    time::{interval, timeout},
};

use crate::sql::{self, MAX_CONNECTION_AGE};

/// How long a request waits for a connection before it is answered with 503.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

/// A connection that was idle for longer is pinged before it is used.
const MAX_IDLE_WITHOUT_PING: Duration = Duration::from_secs(1);

/// How long an idle connection may take to answer a ping before it is replaced.
const IDLE_PING_TIMEOUT: Duration = Duration::from_millis(500);

/// How long a returned connection may take to finish cancelled work (the statement of a dropped request, a rollback)
/// before it is replaced.
const RELEASE_PING_TIMEOUT: Duration = Duration::from_secs(5);

/// How often the gauges of the pool are updated.
const GAUGE_INTERVAL: Duration = Duration::from_secs(1);

/// A statement with its arguments, as `sqlx::query!` builds it.
type Statement<'q, F> = Map<'q, Postgres, F, PgArguments>;

/// The connections of a pool, and what waits for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PoolStatus {
    pub max_size: usize,
    /// Open connections.
    pub size: usize,
    pub in_use: usize,
    /// Requests.
    pub waiting: usize,
}

/// A connection pool. Cheap to clone; clones share the connections.
#[derive(Debug, Clone)]
pub struct Database(Pool<Manager>);

impl Database {
    /// A pool of at most `connections`. Needs no server yet: connections are opened on demand, and reopened after the
    /// server was unavailable. Errors: invalid options.
    pub fn new(options: PgConnectOptions, connections: usize) -> sqlx::Result<Self> {
        let pool = Pool::builder(Manager(options))
            .max_size(connections)
            // The connection that was used last is likely to be in the processors' caches.
            .queue_mode(QueueMode::Lifo)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(ACQUIRE_TIMEOUT))
            .create_timeout(Some(ACQUIRE_TIMEOUT))
            .build()
            .map_err(|error| sqlx::Error::Configuration(error.into()))?;
        Ok(Self(pool))
    }

    /// All rows of a statement. `name` is its name in traces and metrics ([`sql::named`]).
    pub async fn all<F, O>(
        &self,
        name: &'static str,
        statement: Statement<'_, F>,
    ) -> sqlx::Result<Vec<O>>
    where
        F: FnMut(PgRow) -> sqlx::Result<O> + Send,
        O: Send + Unpin,
    {
        self.run(name, async |connection| {
            statement.fetch_all(connection).await
        })
        .await
    }

    /// The first row, or none.
    pub async fn optional<F, O>(
        &self,
        name: &'static str,
        statement: Statement<'_, F>,
    ) -> sqlx::Result<Option<O>>
    where
        F: FnMut(PgRow) -> sqlx::Result<O> + Send,
        O: Send + Unpin,
    {
        self.run(name, async |connection| {
            statement.fetch_optional(connection).await
        })
        .await
    }

    /// The only row. Errors: `RowNotFound`.
    pub async fn one<F, O>(
        &self,
        name: &'static str,
        statement: Statement<'_, F>,
    ) -> sqlx::Result<O>
    where
        F: FnMut(PgRow) -> sqlx::Result<O> + Send,
        O: Send + Unpin,
    {
        let row = self.optional(name, statement).await?;
        row.ok_or(sqlx::Error::RowNotFound)
    }

    /// The number of rows that a statement changed.
    pub async fn execute(
        &self,
        name: &'static str,
        statement: Query<'_, Postgres, PgArguments>,
    ) -> sqlx::Result<u64> {
        self.run(name, async |connection| {
            Ok(statement.execute(connection).await?.rows_affected())
        })
        .await
    }

    /// A connection for several statements.
    pub async fn connection(&self) -> sqlx::Result<PooledConnection> {
        let start = Instant::now();
        let connection = self.0.get().await;
        histogram!("db_pool_wait_seconds").record(start.elapsed());
        let connection = connection.map_err(|error| {
            counter!("db_pool_errors_total").increment(1);
            from_pool_error(error)
        })?;
        Ok(PooledConnection(Some(connection)))
    }

    /// How many connections are open and used, and how many requests wait for one.
    pub fn status(&self) -> PoolStatus {
        let status = self.0.status();
        PoolStatus {
            max_size: status.max_size,
            size: status.size,
            in_use: status.size.saturating_sub(status.available),
            waiting: status.waiting,
        }
    }

    /// Measures how long PostgreSQL takes to answer the smallest statement, without the wait for a connection. Errors: it cannot be
    /// reached, or all connections are in use for 3 s.
    pub async fn ping(&self) -> sqlx::Result<Duration> {
        let mut connection = self.connection().await?;
        let start = Instant::now();
        ping(&mut connection, RELEASE_PING_TIMEOUT).await?;
        let took = start.elapsed();
        connection.return_to_pool();
        Ok(took)
    }

    /// Updates the gauges of the pool once a second, until cancelled.
    pub async fn report(self) {
        let mut tick = interval(GAUGE_INTERVAL);
        loop {
            tick.tick().await;
            let status = self.status();
            gauge!("db_pool_connections_max").set(status.max_size as f64);
            gauge!("db_pool_connections").set(status.size as f64);
            gauge!("db_pool_connections_in_use").set(status.in_use as f64);
            gauge!("db_pool_waiting").set(status.waiting as f64);
        }
    }

    /// Refuses all further statements. Statements in progress finish.
    pub fn close(&self) {
        self.0.close();
    }

    async fn run<T>(
        &self,
        name: &'static str,
        statement: impl AsyncFnOnce(&mut PgConnection) -> sqlx::Result<T>,
    ) -> sqlx::Result<T> {
        let mut connection = self.connection().await?;
        let result = sql::named(name, statement(&mut connection)).await;
        let error = result.as_ref().err();
        if error.is_some_and(is_undefined_table) {
            connection.close();
        } else if error.is_none_or(leaves_connection_usable) {
            connection.return_to_pool();
        }
        result
    }
}

/// A connection of the pool. When it is dropped, its last statement may still be running: it is pinged before it can be
/// used again.
#[derive(Debug)]
pub struct PooledConnection(Option<Object<Manager>>);

impl PooledConnection {
    /// Without a ping: nothing is running on the connection.
    fn return_to_pool(mut self) {
        self.0 = None;
    }

    fn close(mut self) {
        drop(self.0.take().map(Object::take));
    }
}

impl Deref for PooledConnection {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.0.as_ref().expect("it is taken only when dropped")
    }
}

impl DerefMut for PooledConnection {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.0.as_mut().expect("it is taken only when dropped")
    }
}

impl Drop for PooledConnection {
    fn drop(&mut self) {
        let Some(mut connection) = self.0.take() else {
            return;
        };
        // The slot stays taken meanwhile, so the server never runs more statements than the pool has slots.
        let finish = async move {
            if ping(&mut connection, RELEASE_PING_TIMEOUT).await.is_err() {
                drop(Object::take(connection));
            }
        };
        // Without a runtime the process is about to exit.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(finish);
        }
    }
}

/// Opens connections, and checks them before they are used again.
#[derive(Debug)]
struct Manager(PgConnectOptions);

impl managed::Manager for Manager {
    type Type = PgConnection;
    type Error = sqlx::Error;

    async fn create(&self) -> sqlx::Result<PgConnection> {
        // Boxed, to keep the future of every read small.
        Box::pin(PgConnection::connect_with(&self.0)).await
    }

    async fn recycle(
        &self,
        connection: &mut PgConnection,
        metrics: &Metrics,
    ) -> RecycleResult<sqlx::Error> {
        if metrics.age() > MAX_CONNECTION_AGE {
            return Err(RecycleError::message(
                "the connection has reached its maximum age",
            ));
        }
        if metrics.last_used() > MAX_IDLE_WITHOUT_PING {
            ping(connection, IDLE_PING_TIMEOUT).await?;
        }
        Ok(())
    }
}

/// Errors: the server does not answer within `limit`, and the connection must be closed.
async fn ping(connection: &mut PgConnection, limit: Duration) -> sqlx::Result<()> {
    match timeout(limit, connection.ping()).await {
        Ok(result) => result,
        Err(_) => Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())),
    }
}

/// Whether the server keeps the connection open after this error: severity ERROR, not FATAL or PANIC.
fn leaves_connection_usable(error: &sqlx::Error) -> bool {
    let error = error.as_database_error();
    let error = error.and_then(|error| error.try_downcast_ref::<PgDatabaseError>());
    error.is_some_and(|error| error.severity() == PgSeverity::Error)
}

/// Whether a table was not found. It may exist: PostgreSQL looks the schemas of `search_path` up one after the other, keeps the
/// result, and does not notice when a schema that it missed is created meanwhile. Another connection finds it.
fn is_undefined_table(error: &sqlx::Error) -> bool {
    const UNDEFINED_TABLE: &str = "42P01";
    let error = error.as_database_error();
    error.is_some_and(|error| error.code().as_deref() == Some(UNDEFINED_TABLE))
}

fn from_pool_error(error: PoolError<sqlx::Error>) -> sqlx::Error {
    match error {
        PoolError::Backend(error) => error,
        PoolError::Timeout(_) => sqlx::Error::PoolTimedOut,
        _ => sqlx::Error::PoolClosed,
    }
}
