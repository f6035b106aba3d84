//! The instances and pauses in the control schema.

use std::collections::BTreeSet;

use feedmill_events::Partition;
use feedmill_service::sql::named;
use sqlx::{PgConnection, query};
use uuid::Uuid;

use super::lease::LEASE_DURATION;

/// A running projector process.
#[derive(Debug, Clone)]
pub struct Member {
    pub id: Uuid,
    /// Host and process id.
    pub name: String,
    pub projections: Vec<String>,
}

/// A paused projection, or one paused partition of it.
pub type Pause = (String, Option<Partition>);

/// Writes a heartbeat, with the time of the server, so that the machines' clocks do not matter.
pub async fn heartbeat(member: &Member, db: &mut PgConnection) -> sqlx::Result<()> {
    let statement = query!(
        "/* instance.beat */
        INSERT INTO instances (id, name, projections, heartbeat) VALUES ($1, $2, $3, clock_timestamp())
        ON CONFLICT (id) DO UPDATE SET heartbeat = excluded.heartbeat",
        member.id,
        member.name,
        &member.projections,
    );
    named("instance.beat", statement.execute(db))
        .await
        .map(drop)
}

/// The instances whose last heartbeat is recent enough.
pub async fn live_members(db: &mut PgConnection) -> sqlx::Result<Vec<Member>> {
    let statement = query!(
        "/* instance.living */
        SELECT id, name, projections FROM instances
        WHERE heartbeat > clock_timestamp() - make_interval(secs => $1) ORDER BY id",
        LEASE_DURATION.as_secs_f64(),
    );
    let rows = named("instance.living", statement.fetch_all(db)).await?;
    let member = |(id, name, projections)| Member {
        id,
        name,
        projections,
    };
    Ok(rows
        .into_iter()
        .map(|row| member((row.id, row.name, row.projections)))
        .collect())
}

pub async fn pauses(db: &mut PgConnection) -> sqlx::Result<BTreeSet<Pause>> {
    let statement = query!("/* instance.pauses */ SELECT projection, partition FROM pauses");
    let rows = named("instance.pauses", statement.fetch_all(db)).await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.projection, Partition::try_from(row.partition).ok()))
        .collect())
}

/// Removes an instance, so that the others take over its partitions at once.
pub async fn leave(id: Uuid, db: &mut PgConnection) -> sqlx::Result<()> {
    let statement = query!(
        "/* instance.leave */ DELETE FROM instances WHERE id = $1",
        id
    );
    named("instance.leave", statement.execute(db))
        .await
        .map(drop)
}

/// Records the heads of the log, unless they have not moved or another instance has just recorded them. Deletes dead
/// instances and heads that are more than an hour old, except the newest such heads, which show where the hour began.
pub async fn record_heads(db: &mut PgConnection) -> sqlx::Result<()> {
    let statement = query!(
        "/* instance.see_heads */
        INSERT INTO heads_seen (at, heads)
        SELECT clock_timestamp(), now.heads
        FROM (SELECT array_agg(head ORDER BY id) AS heads FROM write.partitions) AS now
        LEFT JOIN (SELECT at, heads FROM heads_seen ORDER BY at DESC LIMIT 1) AS last ON true
        WHERE last.at IS NULL
            OR last.heads <> now.heads AND last.at < clock_timestamp() - interval '0.9 seconds'
        ON CONFLICT DO NOTHING",
    );
    let recorded = named("instance.see_heads", statement.execute(&mut *db)).await?;
    if recorded.rows_affected() == 0 {
        return Ok(());
    }
    let statement = query!(
        "/* instance.forget_heads */
        DELETE FROM heads_seen
        WHERE at < (SELECT max(at) FROM heads_seen WHERE at < now() - interval '1 hour')",
    );
    named("instance.forget_heads", statement.execute(&mut *db)).await?;
    let statement = query!(
        "/* instance.forget_dead */ DELETE FROM instances WHERE heartbeat < now() - interval '1 hour'",
    );
    named("instance.forget_dead", statement.execute(db))
        .await
        .map(drop)
}
