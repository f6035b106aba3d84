//! A database of Feedmill.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use sqlx::{AssertSqlSafe, PgPool, SqlSafeStr};
use tokio::time::sleep;

#[derive(Clone)]
pub struct Database {
    pub url: String,
    pub pool: PgPool,
    pub name: String,
    /// The NATS server of its services.
    pub nats_url: String,
}

impl Database {
    /// Waits until every read model has all events of the log. Errors: no progress for 2 min.
    pub async fn projected(&self) -> Result<()> {
        let behind = "
            SELECT coalesce(sum(p.head - coalesce(c.seq, 0)), 0)::int8
            FROM write.partitions AS p
            CROSS JOIN projector.projections AS m
            LEFT JOIN projector.checkpoints AS c
                ON c.projection = m.name AND c.generation = m.generation AND c.partition = p.id";
        let (mut minimum, mut since) = (i64::MAX, Instant::now());
        loop {
            // Without tables, nothing has been projected yet.
            let behind = sqlx::query_scalar(behind).fetch_one(&self.pool).await;
            let behind: i64 = behind.unwrap_or(i64::MAX - 1);
            if behind == 0 {
                return Ok(());
            }
            if behind < minimum {
                (minimum, since) = (behind, Instant::now());
            }
            if since.elapsed() > Duration::from_mins(2) {
                bail!("the projector makes no progress, {behind} events behind");
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Vacuums and analyzes all tables, so that every run starts with statistics and without pending vacuums.
    pub async fn settle(&self) -> Result<()> {
        execute(&self.pool, "VACUUM (ANALYZE)").await?;
        execute(&self.pool, "CHECKPOINT").await
    }
}

/// Runs statements of the bench itself.
pub async fn execute(pool: &PgPool, statement: &str) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(statement).into_sql_str())
        .execute(pool)
        .await
        .with_context(|| statement.lines().next().unwrap_or_default().to_owned())?;
    Ok(())
}
