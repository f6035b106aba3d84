//! The connections and the lock of one operation.

use std::{collections::BTreeSet, str::FromStr as _, time::Duration};

use anyhow::Context as _;
use feedmill_service::{NatsArgs, sql::named};
use sqlx::{
    ConnectOptions as _, Connection as _, PgConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
    query_scalar,
};

use super::{control, schemas, settings::Settings, source::Source};
use crate::{
    audit::{self, AuditEntry},
    checkpoint,
    projection::{Context, Definition},
    schema::{self, CONTROL_SCHEMA},
};

/// The first half of the advisory locks' key; the second is a hash of the projection's name.
pub const LOCK_KEY: i32 = 0x7265_6275; // "rebu"
/// A killed process holds the lock until the server notices, which takes up to a second.
const LOCK_ATTEMPTS: u32 = 6;
const LOCK_RETRY_DELAY: Duration = Duration::from_millis(500);

pub struct Session {
    pub projection: &'static Definition,
    pub context: Context,
    /// Writes, and holds the projection's lock, so an operation that has lost the lock cannot write.
    pub db: PgConnection,
    pub source: Source,
    pub by: String,
    pub nats: NatsArgs,
    options: PgConnectOptions,
}

impl Session {
    /// Connects, creates missing schemas and checkpoints, and locks the projection. None if another operation of this
    /// projection is running.
    pub async fn open(
        projection: &'static Definition,
        settings: &Settings,
    ) -> anyhow::Result<Option<Self>> {
        let options = options(&settings.url, projection)
            .context("PROJECTOR_DATABASE_URL is not a PostgreSQL URL")?;
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(Duration::from_secs(10))
            .connect_lazy_with(options.clone());
        let mut db = options.connect().await?;
        schema::prepare(&mut db, &[projection]).await?;
        checkpoint::load(&mut db, projection).await?;
        if !lock(projection, &mut db).await? {
            return Ok(None);
        }
        let skipped = if settings.with_skipped {
            BTreeSet::new()
        } else {
            control::skipped(projection, &mut db).await?
        };
        Ok(Some(Self {
            projection,
            context: settings.context.clone(),
            db,
            source: Source {
                projection,
                pool,
                skipped,
                max_live_lag: settings.max_live_lag,
            },
            by: settings.by.clone(),
            nats: settings.nats.clone(),
            options,
        }))
    }

    /// Opens another connection.
    pub async fn connect(&self) -> sqlx::Result<PgConnection> {
        self.options.connect().await
    }

    /// Records that the operation has started.
    pub async fn audit(&mut self, action: &str, how: &str) -> sqlx::Result<()> {
        let entry = AuditEntry {
            by: &self.by,
            action,
            projection: self.projection.name(),
            reason: how,
            ..AuditEntry::default()
        };
        audit::record(&entry, &mut self.db).await
    }

    /// Drops a schema and what the control schema has about it and these generations.
    pub async fn drop_schema(
        &mut self,
        schema: &str,
        generations: impl Fn(i32) -> bool,
        action: &str,
    ) -> sqlx::Result<()> {
        let known = control::generations(self.projection, &mut self.db).await?;
        let dropped: Vec<i32> = known.into_iter().filter(|g| generations(*g)).collect();
        let mut tx = self.db.begin().await?;
        schemas::drop_schema(schema, &mut tx).await?;
        control::delete_generations(self.projection, &dropped, &mut tx).await?;
        if action == "abort" {
            control::end(self.projection, &mut tx).await?;
        }
        let entry = AuditEntry {
            by: &self.by,
            action,
            projection: self.projection.name(),
            reason: schema,
            ..AuditEntry::default()
        };
        audit::record(&entry, &mut tx).await?;
        tx.commit().await
    }

    pub async fn close(self) -> sqlx::Result<()> {
        self.source.pool.close().await;
        self.db.close().await
    }
}

/// Like `connection::projection_options`, with more memory and without a statement timeout.
fn options(url: &str, projection: &Definition) -> sqlx::Result<PgConnectOptions> {
    Ok(PgConnectOptions::from_str(url)?
        .application_name(&format!("projector rebuild {}", projection.name()))
        .options([
            ("search_path", CONTROL_SCHEMA),
            ("enable_seqscan", "off"),
            ("enable_hashjoin", "off"),
            ("enable_mergejoin", "off"),
            ("jit", "off"),
            ("synchronous_commit", "off"),
            ("work_mem", "64MB"),
            ("maintenance_work_mem", "256MB"),
            // At most one core, which leaves the others to readers and writers.
            ("max_parallel_workers_per_gather", "0"),
            ("max_parallel_maintenance_workers", "0"),
            ("statement_timeout", "0"),
            // A process that is suspended during a cutover must not block the live model.
            ("idle_in_transaction_session_timeout", "20s"),
            // When the process is killed, its statement ends, and with it its lock.
            ("client_connection_check_interval", "500ms"),
            ("client_min_messages", "warning"),
            ("timezone", "UTC"),
        ])
        // Statements about whole tables are expected to be slow.
        .disable_statement_logging())
}

/// Locks the projection until the connection ends. Returns false if another operation holds the lock.
async fn lock(projection: &Definition, db: &mut PgConnection) -> sqlx::Result<bool> {
    for attempt in 1.. {
        let statement = query_scalar!(
            r#"/* rebuild.lock */ SELECT pg_try_advisory_lock($1, hashtext($2)) AS "mine!""#,
            LOCK_KEY,
            projection.name(),
        );
        if named("rebuild.lock", statement.fetch_one(&mut *db)).await? {
            return Ok(true);
        }
        if attempt == LOCK_ATTEMPTS {
            break;
        }
        tokio::time::sleep(LOCK_RETRY_DELAY).await;
    }
    Ok(false)
}
