//! The connections of one operation: one that writes, one that reads the log, and one more to compare.

use std::{collections::BTreeSet, str::FromStr as _, time::Duration};

use anyhow::Context as _;
use feedmill_service::sql::named;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
    query, query_scalar, raw_sql,
};

use super::{Settings, books, source::Source};
use crate::{
    checkpoint,
    projection::{Context, Definition},
    schema::{self, BOOKS},
};

/// First half of the advisory locks; the second is the projection.
const LOCK: i32 = 0x7265_6275; // "rebu"
/// Who was killed has the lock until the server notices, which takes it a second at most.
const LOCK_TRIES: u32 = 6;
const LOCK_RETRY: Duration = Duration::from_millis(500);

pub struct Session {
    pub projection: &'static Definition,
    pub context: Context,
    /// Writes, and holds the projection's lock: nobody can write who has lost it.
    pub db: PgConnection,
    pub source: Source,
    pub by: String,
    pub nats_url: String,
    options: PgConnectOptions,
}

impl Session {
    /// None if another operation of this projection is at work. Makes missing schemas and checkpoints.
    pub async fn open(
        projection: &'static Definition,
        settings: &Settings,
    ) -> anyhow::Result<Option<Self>> {
        let options = options(&settings.url, projection)
            .context("PROJECTOR_DATABASE_URL is no PostgreSQL URL")?;
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
            books::skipped(projection, &mut db).await?
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
            nats_url: settings.nats_url.clone(),
            options,
        }))
    }

    /// A third connection.
    pub async fn another(&self) -> sqlx::Result<PgConnection> {
        self.options.connect().await
    }

    /// Drops a schema with all that the books say of it and of these generations.
    pub async fn drop_schema(
        &mut self,
        schema: &str,
        generations: impl Fn(i32) -> bool,
        action: &str,
    ) -> sqlx::Result<()> {
        let known = books::generations(self.projection, &mut self.db).await?;
        let gone: Vec<i32> = known.into_iter().filter(|g| generations(*g)).collect();
        let mut tx = self.db.begin().await?;
        drop_schema(schema, &mut tx).await?;
        books::forget(self.projection, &gone, &mut tx).await?;
        if action == "abort" {
            books::end(self.projection, &mut tx).await?;
        }
        books::audit(self.projection, &self.by, action, schema, &mut tx).await?;
        tx.commit().await
    }

    pub async fn close(self) -> sqlx::Result<()> {
        self.source.pool.close().await;
        self.db.close().await
    }
}

pub fn next(projection: &Definition) -> String {
    format!("{}_next", projection.name())
}

pub fn previous(projection: &Definition) -> String {
    format!("{}_previous", projection.name())
}

/// Drops a schema, if it is there, and what is known of it.
pub async fn drop_schema(schema: &str, db: &mut PgConnection) -> sqlx::Result<()> {
    run(format!("DROP SCHEMA IF EXISTS {schema} CASCADE"), db).await?;
    let statement = query!(
        "/* rebuild.unlaid */ DELETE FROM laid_migrations WHERE schema = $1",
        schema
    );
    named("rebuild.unlaid", statement.execute(db)).await?;
    Ok(())
}

/// Statements that cannot have parameters. What is put into them are names from this crate's source and from
/// the catalogue, quoted there.
pub async fn run(sql: String, db: &mut PgConnection) -> sqlx::Result<()> {
    raw_sql(AssertSqlSafe(sql)).execute(db).await.map(drop)
}

/// From now on this connection means that schema's tables.
pub async fn turn_to(schema: &str, db: &mut PgConnection) -> sqlx::Result<()> {
    run(format!("SET search_path = {schema}, {BOOKS}"), db).await
}

/// For the rest of the transaction: plans for whole tables.
pub async fn plan_for_much(db: &mut PgConnection) -> sqlx::Result<()> {
    let sql = "SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on;
        SET LOCAL plan_cache_mode = force_custom_plan";
    run(sql.to_owned(), db).await
}

/// Like those that project live (see `store::options`), with more memory, and no limit of time.
fn options(url: &str, projection: &Definition) -> sqlx::Result<PgConnectOptions> {
    Ok(PgConnectOptions::from_str(url)?
        .application_name(&format!("projector rebuild {}", projection.name()))
        .options([
            ("search_path", BOOKS),
            ("enable_seqscan", "off"),
            ("enable_hashjoin", "off"),
            ("enable_mergejoin", "off"),
            ("jit", "off"),
            ("synchronous_commit", "off"),
            ("work_mem", "64MB"),
            ("maintenance_work_mem", "256MB"),
            // One core at most, so that those who read and write meanwhile have the others.
            ("max_parallel_workers_per_gather", "0"),
            ("max_parallel_maintenance_workers", "0"),
            ("statement_timeout", "0"),
            // A process that is stopped while it makes a generation live must not keep the live one waiting.
            ("idle_in_transaction_session_timeout", "20s"),
            // A process that is killed ends its statement, and with it its lock.
            ("client_connection_check_interval", "500ms"),
            ("client_min_messages", "warning"),
            ("timezone", "UTC"),
        ])
        // Statements about whole tables are slow, and that is nothing to warn of.
        .disable_statement_logging())
}

async fn lock(projection: &Definition, db: &mut PgConnection) -> sqlx::Result<bool> {
    for attempt in 1.. {
        let statement = query_scalar!(
            r#"/* rebuild.lock */ SELECT pg_try_advisory_lock($1, hashtext($2)) AS "mine!""#,
            LOCK,
            projection.name(),
        );
        if named("rebuild.lock", statement.fetch_one(&mut *db)).await? {
            return Ok(true);
        }
        if attempt == LOCK_TRIES {
            break;
        }
        tokio::time::sleep(LOCK_RETRY).await;
    }
    Ok(false)
}
