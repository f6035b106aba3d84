//! The connections to PostgreSQL that reads share.
//!
//! Not sqlx's own pool ([`sql::pool`]): that asks the server of every connection that comes back whether it is well,
//! in a task of its own, and we ask before it, since it would wait for ever. So a read, which is one statement of a
//! fraction of a millisecond, would be three round trips. Here only a connection is asked that was idle for long, or
//! whose statement was given up.

use deadpool::{
    Runtime,
    managed::{self, Metrics, Object, Pool, PoolError, QueueMode, RecycleError, RecycleResult},
};
use feedmill_service::sql::{self, ACQUIRE_TIMEOUT, IDLE_PING, MAX_AGE, RELEASE_PING, TRUSTED};
use sqlx::{
    Connection as _, PgConnection, Postgres,
    postgres::{PgArguments, PgConnectOptions, PgDatabaseError, PgRow, PgSeverity},
    query::Map,
};
use tokio::runtime::Handle;

use crate::state::SEARCH_PATH;

/// A statement that is ready to be sent, as `sqlx::query!` makes it.
type Statement<'q, F> = Map<'q, Postgres, F, PgArguments>;

/// Cheap to clone; clones share their connections.
#[derive(Debug, Clone)]
pub struct Database(Pool<Connections>);

impl Database {
    /// Needs no server: connections are made when they are needed, and made anew when the server was away.
    /// Errors: a URL that is none.
    pub fn new(url: &str, connections: u32) -> sqlx::Result<Self> {
        let options = sql::options(url, "read-api", Some(SEARCH_PATH))?;
        let pool = Pool::builder(Connections(options))
            .max_size(connections as usize)
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
            let mut busy = Busy(Some(self.0.get().await.map_err(told)?));
            let connection = busy.0.as_mut().expect("it is there until the end");
            let result = statement(connection).await;
            if result.as_ref().err().is_none_or(is_answer) {
                busy.0 = None;
            }
            result
        })
        .await
    }
}

/// A connection on which a statement was begun. If it is dropped so, or the statement came to no proper end, it has
/// to come to rest before anybody else may use it.
struct Busy(Option<Object<Connections>>);

impl Drop for Busy {
    fn drop(&mut self) {
        let Some(mut connection) = self.0.take() else {
            return;
        };
        // Its place in the pool stays taken meanwhile, so the server never has more statements than that.
        let settle = async move {
            if sql::answers(&mut connection, RELEASE_PING).await.is_err() {
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
            sql::answers(connection, IDLE_PING).await?;
        }
        Ok(())
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
