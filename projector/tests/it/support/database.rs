//! A database per test, with the log's schema.

use std::{str::FromStr as _, time::Duration};

use feedmill_events::{Envelope, Partition};
use projector::{connection, log, projection::Definition, schema};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, PgPool, Row as _,
    postgres::{PgConnectOptions, PgPoolOptions},
    raw_sql,
};
use uuid::Uuid;

use super::proxy::Proxy;

const MIGRATIONS: [&str; 2] = [
    include_str!("../../../../migrations/write/0001_log_and_state.sql"),
    include_str!("../../../../migrations/write/0002_roles.sql"),
];

/// Dropped when the test ends.
pub struct Database {
    name: String,
    server: PgConnectOptions,
    /// As the owner of the database.
    pub admin: PgPool,
    /// As the projector's role.
    pub url: String,
}

impl Database {
    /// Creates a database with the schemas of the log and, by the projector's code, of the read models.
    pub async fn new() -> Self {
        let database = Self::bare().await;
        let pool = database.pool(projector::projection::ALL[0]);
        let mut db = pool.acquire().await.unwrap();
        schema::prepare(&mut db, &projector::projection::ALL)
            .await
            .unwrap();
        database
    }

    /// Creates a database with the log's schema only.
    pub async fn bare() -> Self {
        let _ = feedmill_service::telemetry::metrics();
        let server = super::setting("TEST_DATABASE_URL", "a PostgreSQL superuser's connection");
        let server = PgConnectOptions::from_str(&server).unwrap();
        let name = format!("projector_test_{}", Uuid::new_v4().simple());
        let mut connection = server.connect().await.unwrap();
        raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .execute(&mut connection)
            .await
            .unwrap();
        let options = server.clone().database(&name);
        let mut url = options.to_url_lossy();
        url.query_pairs_mut()
            .append_pair("options", "-c role=feedmill_projector");
        let url = url.to_string();
        let admin = PgPoolOptions::new()
            .max_connections(3)
            .connect_with(options)
            .await
            .unwrap();
        for migration in MIGRATIONS {
            // Roles belong to the server, so tests that create them at the same time conflict.
            let mut attempts = 0;
            while let Err(error) = raw_sql(migration).execute(&admin).await {
                attempts += 1;
                assert!(attempts < 20, "{error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Self {
            name,
            server,
            admin,
            url,
        }
    }

    /// A proxy to this database, and the URL that uses it.
    pub async fn through_proxy(&self) -> (Proxy, String) {
        let proxy = Proxy::start(&self.server).await;
        let options = self.server.clone().database(&self.name);
        let mut url = options.host("127.0.0.1").port(proxy.port).to_url_lossy();
        url.query_pairs_mut()
            .append_pair("options", "-c role=feedmill_projector");
        let url = url.to_string();
        (proxy, url)
    }

    pub fn pool(&self, projection: &Definition) -> PgPool {
        let pool = PgPoolOptions::new().max_connections(2);
        pool.connect_lazy_with(connection::projection_options(&self.url, projection).unwrap())
    }

    /// Appends events to the log, as write-api does. Returns their partitions and sequence numbers.
    pub async fn append(&self, envelopes: &[Envelope]) -> Vec<(Partition, i64)> {
        let bodies = envelopes.iter().map(super::old::encode);
        let raw: Vec<Raw> = envelopes
            .iter()
            .zip(bodies)
            .map(|(envelope, body)| {
                (
                    envelope.event.partition(),
                    envelope.event.event_type().name(),
                    envelope.at,
                    body,
                )
            })
            .collect();
        self.append_raw(&raw).await
    }

    pub async fn append_raw(&self, events: &[Raw]) -> Vec<(Partition, i64)> {
        let mut tx = self.admin.begin().await.unwrap();
        let mut heads = log::Offsets::default();
        let rows = sqlx::query("SELECT id, head FROM write.partitions ORDER BY id FOR UPDATE");
        for row in rows.fetch_all(&mut *tx).await.unwrap() {
            heads[Partition::try_from(row.get::<i16, _>(0)).unwrap()] = row.get(1);
        }
        let mut places = vec![];
        for (partition, ..) in events {
            heads[*partition] += 1;
            places.push((*partition, heads[*partition]));
        }
        sqlx::query(
            "INSERT INTO write.events (partition, seq, type, at, body)
            SELECT p, s, t, to_timestamp(a / 1000.0), b
            FROM unnest($1::smallint[], $2::bigint[], $3::text[], $4::bigint[], $5::bytea[]) AS e(p, s, t, a, b)",
        )
        .bind(places.iter().map(|(partition, _)| i16::from(*partition)).collect::<Vec<_>>())
        .bind(places.iter().map(|(_, seq)| *seq).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.1).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.2).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.3.as_slice()).collect::<Vec<_>>())
        .execute(&mut *tx)
        .await
        .unwrap();
        sqlx::query("UPDATE write.partitions SET head = h FROM unnest($1::smallint[], $2::bigint[]) AS n(p, h) WHERE id = p")
            .bind(Partition::all().map(i16::from).collect::<Vec<_>>())
            .bind(Partition::all().map(|partition| heads[partition]).collect::<Vec<_>>())
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        places
    }

    /// The number of events that a projection has not applied.
    pub async fn behind(&self, projection: &Definition) -> i64 {
        sqlx::query_scalar(
            "SELECT (sum(p.head) - sum(coalesce(c.seq, 0)))::bigint FROM write.partitions p
            LEFT JOIN projector.checkpoints c ON c.partition = p.id AND c.projection = $1",
        )
        .bind(projection.name())
        .fetch_one(&self.admin)
        .await
        .unwrap()
    }

    /// Waits until the projection has applied all but `rest` events.
    pub async fn caught_up_but(&self, projection: &Definition, rest: i64, within: Duration) {
        let start = std::time::Instant::now();
        loop {
            let behind = self.behind(projection).await;
            if behind == rest {
                return;
            }
            assert!(
                start.elapsed() < within,
                "{} is {behind} events behind",
                projection.name()
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub async fn caught_up(&self, projection: &Definition, within: Duration) {
        self.caught_up_but(projection, 0, within).await;
    }
}

/// Partition, type, time, envelope.
pub type Raw = (Partition, &'static str, i64, Vec<u8>);

impl Drop for Database {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        let drop = move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let sql = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                raw_sql(AssertSqlSafe(sql))
                    .execute(&mut server.connect().await?)
                    .await
            })?;
            anyhow::Ok(())
        };
        let _ = std::thread::spawn(drop).join();
    }
}
