//! The kit's database, with the projector's schemas and its progress.

use std::{ops::Deref, time::Duration};

use feedmill_events::{Envelope, Partition};
use feedmill_tests::{
    kit::{self, Role, TempFolder, wait_until_within},
    log::{self, Raw},
    oracle::tables,
};
use projector::{connection, projection, projection::Definition, schema};
use sqlx::{PgPool, postgres::PgPoolOptions};

use super::{old, world::World};

pub struct Database {
    inner: kit::Database,
    /// Its URL, as the projector's role.
    pub url: String,
    /// For the logs of the test's processes.
    pub folder: TempFolder,
}

impl Deref for Database {
    type Target = kit::Database;

    fn deref(&self) -> &kit::Database {
        &self.inner
    }
}

impl Database {
    /// With the schemas of the log and, by the projector's code, of the read models.
    pub async fn new() -> Self {
        let database = Self::with_log().await;
        let pool = database.pool_of(projection::ALL[0]);
        let mut db = pool.acquire().await.unwrap();
        schema::prepare(&mut db, &projection::ALL).await.unwrap();
        database
    }

    /// With the log's schema only.
    pub async fn with_log() -> Self {
        // Before the first metric, which would be lost.
        let _ = feedmill_service::telemetry::metrics();
        let inner = kit::Database::with_log().await;
        let url = inner.url_as(Role::Projector);
        Self {
            inner,
            url,
            folder: TempFolder::new(),
        }
    }

    /// As the projector, for the tables of one projection.
    pub fn pool_of(&self, projection: &Definition) -> PgPool {
        let pool = PgPoolOptions::new().max_connections(2);
        pool.connect_lazy_with(connection::projection_options(&self.url, projection).unwrap())
    }

    /// Appends events to the log. Returns their partitions and sequence numbers.
    pub async fn append(&self, envelopes: &[Envelope]) -> Vec<(Partition, i64)> {
        let raw = envelopes.iter().map(|envelope| Raw {
            body: old::encode(envelope),
            ..Raw::from(envelope)
        });
        self.append_raw(&raw.collect::<Vec<_>>()).await
    }

    pub async fn append_raw(&self, events: &[Raw]) -> Vec<(Partition, i64)> {
        log::append(&self.pool, events).await.unwrap()
    }

    /// The number of events that the live generation of a projection has not applied.
    pub async fn behind(&self, projection: &Definition) -> i64 {
        sqlx::query_scalar(
            "SELECT (sum(p.head) - coalesce(sum(c.seq), 0))::bigint FROM write.partitions p
            LEFT JOIN projector.checkpoints c ON c.partition = p.id AND c.projection = $1
                AND c.generation = (SELECT generation FROM projector.projections WHERE name = $1)",
        )
        .bind(projection.name())
        .fetch_one(&self.pool)
        .await
        .unwrap()
    }

    /// Waits until the projection has applied all but `rest` events.
    pub async fn caught_up_but(&self, projection: &Definition, rest: i64, timeout: Duration) {
        let what = format!("{} has applied all but {rest} events", projection.name());
        let caught_up = async || self.behind(projection).await == rest;
        wait_until_within(&what, timeout, caught_up).await;
    }

    pub async fn caught_up(&self, projection: &Definition, timeout: Duration) {
        self.caught_up_but(projection, 0, timeout).await;
    }

    /// The tables of a projection's live schema.
    pub async fn tables(&self, projection: &Definition) -> Vec<String> {
        let sql = "SELECT tablename::text FROM pg_tables WHERE schemaname = $1 ORDER BY 1";
        let tables = sqlx::query_scalar(sql).bind(projection.name());
        tables.fetch_all(&self.pool).await.unwrap()
    }

    /// Panics unless all tables of the projection are equal to their definitions.
    pub async fn assert_equal(&self, world: &World, projection: &Definition) {
        let (name, pool) = (projection.projection, self.pool_of(projection));
        tables::assert_equal(&world.oracle, name, &pool).await;
        let undefined = tables::undefined(name, &pool).await;
        assert!(
            undefined.is_empty(),
            "tables of {name} without a definition in tests/src/oracle/tables.rs: {undefined:?}"
        );
    }
}
