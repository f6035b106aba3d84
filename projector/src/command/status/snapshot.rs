//! The control schema at one moment.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use feedmill_events::Partition;
use feedmill_service::sql::named;
use serde::Serialize;
use sqlx::{Connection as _, PgConnection, query, query_scalar};
use uuid::Uuid;

use crate::{instance::LEASE_DURATION, log::Offsets};

/// The number of audit entries that are shown.
const MAX_AUDIT_ENTRIES: i64 = 20;

#[derive(Debug)]
pub struct Snapshot {
    /// The server's time.
    pub at: DateTime<Utc>,
    pub heads: Offsets,
    /// The heads of the log over the last hour, oldest first.
    pub heads_seen: Vec<(DateTime<Utc>, Vec<i64>)>,
    /// By name: the live generation.
    pub projections: BTreeMap<String, i32>,
    /// The checkpoints of the live generations, with the times at which they last moved.
    pub checkpoints: BTreeMap<(String, Partition), (i64, DateTime<Utc>)>,
    pub blocked: BTreeMap<(String, Partition), Blocked>,
    /// None stands for the whole projection.
    pub pauses: BTreeMap<(String, Option<Partition>), Paused>,
    pub instances: Vec<Instance>,
    /// Latest first.
    pub audit: Vec<AuditEntry>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Blocked {
    pub seq: i64,
    pub attempts: i32,
    pub error: String,
    pub since: DateTime<Utc>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Paused {
    pub by: String,
    pub reason: String,
    pub since: DateTime<Utc>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Instance {
    pub id: Uuid,
    /// Host and process id.
    pub name: String,
    pub projections: Vec<String>,
    pub started_at: DateTime<Utc>,
    pub heartbeat: DateTime<Utc>,
    /// Whether its last heartbeat is recent enough.
    pub living: bool,
}

#[derive(Debug, Clone, Serialize)]
pub struct AuditEntry {
    pub at: DateTime<Utc>,
    pub by: String,
    pub action: String,
    pub projection: String,
    pub partition: Option<i16>,
    pub seq: Option<i64>,
    pub reason: String,
    pub detail: Option<String>,
}

impl Snapshot {
    /// Reads everything in one snapshot of the database.
    pub async fn read(connection: &mut PgConnection) -> sqlx::Result<Self> {
        let mut tx = connection.begin().await?;
        let snapshot = query!(
            "/* status.snapshot */ SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
        );
        named("status.snapshot", snapshot.execute(&mut *tx)).await?;
        let at = query_scalar!(r#"/* status.at */ SELECT clock_timestamp() AS "at!""#);
        let result = Self {
            at: named("status.at", at.fetch_one(&mut *tx)).await?,
            heads: heads(&mut tx).await?,
            heads_seen: heads_seen(&mut tx).await?,
            projections: projections(&mut tx).await?,
            checkpoints: checkpoints(&mut tx).await?,
            blocked: blocked(&mut tx).await?,
            pauses: pauses(&mut tx).await?,
            instances: instances(&mut tx).await?,
            audit: audit(&mut tx).await?,
        };
        tx.commit().await?;
        Ok(result)
    }
}

async fn heads(db: &mut PgConnection) -> sqlx::Result<Offsets> {
    let statement = query!("/* status.heads */ SELECT id, head FROM write.partitions");
    let mut heads = Offsets::default();
    for row in named("status.heads", statement.fetch_all(db)).await? {
        if let Ok(partition) = Partition::try_from(row.id) {
            heads[partition] = row.head;
        }
    }
    Ok(heads)
}

async fn heads_seen(db: &mut PgConnection) -> sqlx::Result<Vec<(DateTime<Utc>, Vec<i64>)>> {
    let statement = query!("/* status.heads_seen */ SELECT at, heads FROM heads_seen ORDER BY at");
    let rows = named("status.heads_seen", statement.fetch_all(db)).await?;
    Ok(rows.into_iter().map(|row| (row.at, row.heads)).collect())
}

async fn projections(db: &mut PgConnection) -> sqlx::Result<BTreeMap<String, i32>> {
    let statement = query!("/* status.projections */ SELECT name, generation FROM projections");
    let rows = named("status.projections", statement.fetch_all(db)).await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.name, row.generation))
        .collect())
}

async fn checkpoints(
    db: &mut PgConnection,
) -> sqlx::Result<BTreeMap<(String, Partition), (i64, DateTime<Utc>)>> {
    let statement = query!(
        "/* status.checkpoints */
        SELECT c.projection, c.partition, c.seq, c.updated_at
        FROM checkpoints c JOIN projections p ON p.name = c.projection AND p.generation = c.generation"
    );
    let rows = named("status.checkpoints", statement.fetch_all(db)).await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            let partition = Partition::try_from(row.partition).ok()?;
            Some(((row.projection, partition), (row.seq, row.updated_at)))
        })
        .collect())
}

/// Only rows that match their checkpoint: a row may be deleted a moment after its event was applied.
async fn blocked(db: &mut PgConnection) -> sqlx::Result<BTreeMap<(String, Partition), Blocked>> {
    let statement = query!(
        "/* status.blocked */
        SELECT b.projection, b.partition, b.seq, b.attempts, b.error, b.since
        FROM blocked b
        JOIN projections p ON p.name = b.projection AND p.generation = b.generation
        JOIN checkpoints c ON c.projection = b.projection AND c.generation = b.generation
            AND c.partition = b.partition AND c.seq = b.seq - 1"
    );
    let rows = named("status.blocked", statement.fetch_all(db)).await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            let partition = Partition::try_from(row.partition).ok()?;
            let blocked = Blocked {
                seq: row.seq,
                attempts: row.attempts,
                error: row.error,
                since: row.since,
            };
            Some(((row.projection, partition), blocked))
        })
        .collect())
}

async fn pauses(
    db: &mut PgConnection,
) -> sqlx::Result<BTreeMap<(String, Option<Partition>), Paused>> {
    let statement = query!(
        "/* status.pauses */ SELECT projection, partition, paused_by, reason, since FROM pauses"
    );
    let rows = named("status.pauses", statement.fetch_all(db)).await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let paused = Paused {
                by: row.paused_by,
                reason: row.reason,
                since: row.since,
            };
            let partition = Partition::try_from(row.partition).ok();
            ((row.projection, partition), paused)
        })
        .collect())
}

async fn instances(db: &mut PgConnection) -> sqlx::Result<Vec<Instance>> {
    let statement = query!(
        r#"/* status.instances */
        SELECT id, name, projections, started_at, heartbeat,
            heartbeat > clock_timestamp() - make_interval(secs => $1) AS "living!"
        FROM instances ORDER BY started_at"#,
        LEASE_DURATION.as_secs_f64(),
    );
    let rows = named("status.instances", statement.fetch_all(db)).await?;
    Ok(rows
        .into_iter()
        .map(|row| Instance {
            id: row.id,
            name: row.name,
            projections: row.projections,
            started_at: row.started_at,
            heartbeat: row.heartbeat,
            living: row.living,
        })
        .collect())
}

async fn audit(db: &mut PgConnection) -> sqlx::Result<Vec<AuditEntry>> {
    let statement = query!(
        "/* status.audit */
        SELECT at, done_by, action, projection, partition, seq, reason, detail
        FROM audit ORDER BY id DESC LIMIT $1",
        MAX_AUDIT_ENTRIES,
    );
    let rows = named("status.audit", statement.fetch_all(db)).await?;
    Ok(rows
        .into_iter()
        .map(|row| AuditEntry {
            at: row.at,
            by: row.done_by,
            action: row.action,
            projection: row.projection,
            partition: row.partition,
            seq: row.seq,
            reason: row.reason,
            detail: row.detail,
        })
        .collect())
}
