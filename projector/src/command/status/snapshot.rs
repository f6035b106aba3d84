//! The control schema at one moment.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use feedmill_events::Partition;
use feedmill_service::sql::named;
use serde::Serialize;
use sqlx::{Connection as _, PgConnection, query, query_scalar};
use uuid::Uuid;

use crate::{
    audit::{self, Recorded},
    instance::LEASE_DURATION,
    log::Offsets,
    rebuild,
};

/// A row of `heads_seen` can be committed this much later than its time says.
const COMMIT_TIMEOUT: chrono::TimeDelta = chrono::TimeDelta::seconds(15);
/// The number of audit entries that are shown.
const MAX_AUDIT_ENTRIES: i64 = 20;

#[derive(Debug)]
pub struct Snapshot {
    /// The server's time.
    pub at: DateTime<Utc>,
    pub heads: Offsets,
    /// The heads of the log over the last hour, oldest first.
    pub heads_seen: Vec<(DateTime<Utc>, Vec<i64>)>,
    /// By name.
    pub projections: BTreeMap<String, Live>,
    /// By projection.
    pub rebuilds: BTreeMap<String, Rebuilding>,
    /// The checkpoints of the live generations, with the times at which they last moved.
    pub checkpoints: BTreeMap<(String, Partition), (i64, DateTime<Utc>)>,
    pub blocked: BTreeMap<(String, Partition), Blocked>,
    /// None stands for the whole projection.
    pub pauses: BTreeMap<(String, Option<Partition>), Paused>,
    pub instances: Vec<Instance>,
    /// Latest first.
    pub audit: Vec<Recorded>,
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

/// The live generation of a projection.
#[derive(Debug, Clone)]
pub struct Live {
    pub generation: i32,
    /// The generation that a rollback would make live again.
    pub previous: Option<i32>,
    /// A rebuild, a verification or a rollback holds its lock.
    pub is_locked: bool,
    pub last_cutover: Option<Cutover>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Cutover {
    pub at: DateTime<Utc>,
    pub by: String,
    pub reason: String,
}

/// A rebuild that has not cut over yet, running or not.
#[derive(Debug, Clone, Serialize)]
pub struct Rebuilding {
    pub generation: i32,
    pub phase: String,
    /// The events that it has applied.
    pub applied: i64,
    pub started_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl Snapshot {
    /// Reads everything in one snapshot of the database. Of the heads over the last hour, which are by far the most, only those that an
    /// earlier snapshot does not have.
    pub async fn read(connection: &mut PgConnection, earlier: Option<&Self>) -> sqlx::Result<Self> {
        let mut tx = connection.begin().await?;
        let snapshot = query!(
            "/* status.snapshot */ SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
        );
        named("status.snapshot", snapshot.execute(&mut *tx)).await?;
        let at = query_scalar!(r#"/* status.at */ SELECT clock_timestamp() AS "at!""#);
        let result = Self {
            at: named("status.at", at.fetch_one(&mut *tx)).await?,
            heads: heads(&mut tx).await?,
            heads_seen: heads_seen(earlier, &mut tx).await?,
            projections: projections(&mut tx).await?,
            rebuilds: rebuilds(&mut tx).await?,
            checkpoints: checkpoints(&mut tx).await?,
            blocked: blocked(&mut tx).await?,
            pauses: pauses(&mut tx).await?,
            instances: instances(&mut tx).await?,
            audit: audit::list(&audit::Filter::default(), None, MAX_AUDIT_ENTRIES, &mut tx).await?,
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

async fn heads_seen(
    earlier: Option<&Snapshot>,
    db: &mut PgConnection,
) -> sqlx::Result<Vec<(DateTime<Utc>, Vec<i64>)>> {
    let known = earlier.map_or(&[][..], |earlier| &earlier.heads_seen);
    let since = known.last().map(|(at, _)| *at - COMMIT_TIMEOUT);
    let known = known.iter().filter(|(at, _)| {
        since.is_some_and(|since| *at < since && *at > since - chrono::TimeDelta::hours(1))
    });
    let statement = query!(
        "/* status.heads_seen */
        SELECT at, heads FROM heads_seen WHERE at >= coalesce($1::timestamptz, '-infinity') ORDER BY at",
        since,
    );
    let rows = named("status.heads_seen", statement.fetch_all(db)).await?;
    Ok(known
        .cloned()
        .chain(rows.into_iter().map(|row| (row.at, row.heads)))
        .collect())
}

async fn projections(db: &mut PgConnection) -> sqlx::Result<BTreeMap<String, Live>> {
    let statement = query!(
        r#"/* status.projections */
        SELECT p.name, p.generation,
            (SELECT max(c.generation) FROM checkpoints c WHERE c.projection = p.name AND c.generation < p.generation) AS previous,
            EXISTS (
                SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.classid::bigint = $1
                    AND l.objid::bigint = hashtext(p.name)::bigint & 4294967295
                    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
            ) AS "is_locked!",
            a.at AS "at?", a.done_by AS "done_by?", a.reason AS "reason?"
        FROM projections p
        LEFT JOIN LATERAL (
            SELECT at, done_by, reason FROM audit WHERE projection = p.name AND action = 'cutover' ORDER BY id DESC LIMIT 1
        ) a ON true"#,
        i64::from(rebuild::LOCK_KEY),
    );
    let rows = named("status.projections", statement.fetch_all(db)).await?;
    let live = rows.into_iter().map(|row| {
        let cutover = |((at, by), reason)| Cutover { at, by, reason };
        let live = Live {
            generation: row.generation,
            previous: row.previous,
            is_locked: row.is_locked,
            last_cutover: row.at.zip(row.done_by).zip(row.reason).map(cutover),
        };
        (row.name, live)
    });
    Ok(live.collect())
}

async fn rebuilds(db: &mut PgConnection) -> sqlx::Result<BTreeMap<String, Rebuilding>> {
    let statement = query!(
        r#"/* status.rebuilds */
        SELECT r.projection, r.generation, r.phase, r.started_at, r.updated_at,
            (SELECT coalesce(sum(c.seq), 0) FROM checkpoints c
             WHERE c.projection = r.projection AND c.generation = r.generation)::bigint AS "applied!"
        FROM rebuilds r"#
    );
    let rows = named("status.rebuilds", statement.fetch_all(db)).await?;
    let rebuilding = rows.into_iter().map(|row| {
        let rebuilding = Rebuilding {
            generation: row.generation,
            phase: row.phase,
            applied: row.applied,
            started_at: row.started_at,
            updated_at: row.updated_at,
        };
        (row.projection, rebuilding)
    });
    Ok(rebuilding.collect())
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
