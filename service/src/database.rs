//! The connections to PostgreSQL that requests share.
//!
//! Not sqlx's own pool: that asks the server of every connection that comes back whether it is well, in a task of its
//! own. So a read, which is one statement of a fraction of a millisecond, would be two round trips; and if the server
//! goes silent meanwhile, it waits for ever and the place in the pool is lost (sqlx issue 4349). Here only a connection
//! is asked that was idle for long, or whose statement was given up; and not for long.

use std::{
    ops::{Deref, DerefMut},
    time::Duration,
};

use deadpool::{
    Runtime,
    managed::{self, Metrics, Object, Pool, PoolError, QueueMode, RecycleError, RecycleResult},
};
use sqlx::{
    Connection as _, PgConnection, Postgres,
    postgres::{PgArguments, PgConnectOptions, PgDatabaseError, PgRow, PgSeverity},
    query::{Map, Query},
};
use tokio::{runtime::Handle, time::timeout};

use crate::sql::{self, MAX_AGE};

/// How long a request waits for a connection before it is told 503.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

/// A connection that was idle for less is handed out unasked.
const TRUSTED: Duration = Duration::from_secs(1);

/// How long an idle connection may take to answer before a new one is made in its place.
const IDLE_PING: Duration = Duration::from_millis(500);

/// How long a connection that comes back may take to finish what was abandoned on it (the statement of a request
/// that is gone, a rollback).
const RELEASE_PING: Duration = Duration::from_secs(5);

/// A statement that is ready to be sent, as `sqlx::query!` makes it.
type Statement<'q, F> = Map<'q, Postgres, F, PgArguments>;

/// Cheap to clone; clones share their connections.
#[derive(Debug, Clone)]
pub struct Database(Pool<Connections>);

impl Database {
    /// Needs no server: connections are made when they are needed, and made anew when the server was away.
    pub fn new(options: PgConnectOptions, connections: usize) -> sqlx::Result<Self> {
        let pool = Pool::builder(Connections(options))
            .max_size(connections)
            // What was used last is likely to be in the processors' caches.
            .queue_mode(QueueMode::Lifo)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(ACQUIRE_TIMEOUT))
            .create_timeout(Some(ACQUIRE_TIMEOUT))
            .build()
            .map_err(|error| sqlx::Error::Configuration(error.into()))?;
        Ok(Self(pool))
    }

    /// All rows of a statement, under its name ([`sql::named`]).
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

    /// The first row, if there is one.
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

    /// The one row. Errors: there is none.
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

    /// How many rows a statement changed.
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

    /// For several statements.
    pub async fn connection(&self) -> sqlx::Result<Busy> {
        Ok(Busy(Some(self.0.get().await.map_err(told)?)))
    }

    /// Lets no statement begin any more.
    pub fn close(&self) {
        self.0.close();
    }

    async fn run<T>(
        &self,
        name: &'static str,
        statement: impl AsyncFnOnce(&mut PgConnection) -> sqlx::Result<T>,
    ) -> sqlx::Result<T> {
        sql::named(name, async {
            let mut busy = self.connection().await?;
            let result = statement(&mut busy).await;
            if result.as_ref().err().is_none_or(is_answer) {
                busy.0 = None;
            }
            result
        })
        .await
    }
}

/// A connection on which something was begun, which may have come to no proper end: dropped so, it has to come to rest
/// before anybody else may use it.
#[derive(Debug)]
pub struct Busy(Option<Object<Connections>>);

impl Deref for Busy {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.0.as_ref().expect("it is there until the end")
    }
}

impl DerefMut for Busy {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.0.as_mut().expect("it is there until the end")
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let Some(mut connection) = self.0.take() else {
            return;
        };
        // Its place in the pool stays taken meanwhile, so the server never has more statements than that.
        let settle = async move {
            if answers(&mut connection, RELEASE_PING).await.is_err() {
                drop(Object::take(connection));
            }
        };
        // Without a runtime the service is at its end, and the pool with it.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(settle);
        }
    }
}

/// How connections are made, and looked at before they are used again.
#[derive(Debug)]
struct Connections(PgConnectOptions);

impl managed::Manager for Connections {
    type Type = PgConnection;
    type Error = sqlx::Error;

    async fn create(&self) -> sqlx::Result<PgConnection> {
        // Boxed, since every read's future has room for it.
        Box::pin(PgConnection::connect_with(&self.0)).await
    }

    async fn recycle(
        &self,
        connection: &mut PgConnection,
        metrics: &Metrics,
    ) -> RecycleResult<sqlx::Error> {
        if metrics.age() > MAX_AGE {
            return Err(RecycleError::message("it is old"));
        }
        if metrics.last_used() > TRUSTED {
            answers(connection, IDLE_PING).await?;
        }
        Ok(())
    }
}

/// Whether the server answers. Errors: it does not; the connection is to be thrown away.
async fn answers(connection: &mut PgConnection, patience: Duration) -> sqlx::Result<()> {
    match timeout(patience, connection.ping()).await {
        Ok(result) => result,
        Err(_) => Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())),
    }
}

/// Whether the server goes on after this error, so that the connection is sound.
fn is_answer(error: &sqlx::Error) -> bool {
    let error = error.as_database_error();
    let error = error.and_then(|error| error.try_downcast_ref::<PgDatabaseError>());
    error.is_some_and(|error| error.severity() == PgSeverity::Error)
}

fn told(error: PoolError<sqlx::Error>) -> sqlx::Error {
    match error {
        PoolError::Backend(error) => error,
        PoolError::Timeout(_) => sqlx::Error::PoolTimedOut,
        _ => sqlx::Error::PoolClosed,
    }
}
