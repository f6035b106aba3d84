//! `projector skip`

use anyhow::{Context as _, bail};
use feedmill_events::Partition;
use feedmill_service::sql::named;
use sqlx::{Connection as _, PgConnection, query, query_scalar};

use super::common::partition;
use crate::{
    audit::{self, AuditEntry},
    projection::{self, Definition},
};

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The projection
    #[arg(value_parser = projection::by_name)]
    pub name: &'static Definition,
    /// The blocked partition, 0 to 63
    #[arg(value_parser = partition)]
    pub partition: Partition,
    /// The sequence number of the event that blocks it, as shown by `status`
    pub seq: i64,
    /// Why, for the audit log and `status`
    #[arg(long)]
    pub reason: String,
    /// Who, for the audit log and `status`
    #[arg(long, env = "USER", default_value_t = audit::os_user())]
    pub by: String,
}

/// Moves the checkpoint over the event that currently blocks the partition. The read model lacks this event, and later
/// events that depend on it may block too. Returns what was done, for people. Errors: any other event.
pub async fn skip(args: &Args, db: &mut PgConnection) -> anyhow::Result<String> {
    let Args { partition, seq, .. } = *args;
    let name = args.name.name();
    let mut tx = db.begin().await?;
    // Locked as by every batch, so that there is no cutover meanwhile.
    let statement = query_scalar!(
        "/* skip.generation */ SELECT generation FROM projections WHERE name = $1 FOR SHARE",
        name,
    );
    let generation = named("skip.generation", statement.fetch_optional(&mut *tx)).await?;
    let generation = generation.with_context(|| format!("{name} has never been projected"))?;
    let statement = query!(
        "/* skip.move */
        UPDATE checkpoints c SET seq = c.seq + 1, updated_at = now()
        FROM blocked b
        WHERE c.projection = $1 AND c.generation = $2 AND c.partition = $3 AND c.seq = $4::bigint - 1
            AND b.projection = $1 AND b.generation = $2 AND b.partition = $3 AND b.seq = $4::bigint
        RETURNING b.attempts, b.error",
        name,
        generation,
        i16::from(partition),
        seq,
    );
    let Some(blocked) = named("skip.move", statement.fetch_optional(&mut *tx)).await? else {
        bail!(
            "event {partition}:{seq} does not block {name}: {}",
            blocking_event(name, generation, partition, &mut tx).await?
        );
    };
    let statement = query!(
        "/* skip.unblock */
        DELETE FROM blocked WHERE projection = $1 AND generation = $2 AND partition = $3",
        name,
        generation,
        i16::from(partition),
    );
    named("skip.unblock", statement.execute(&mut *tx)).await?;
    let entry = AuditEntry {
        by: &args.by,
        action: "skip",
        projection: name,
        partition: Some(partition),
        seq: Some(seq),
        reason: &args.reason,
        detail: Some(&blocked.error),
    };
    audit::record(&entry, &mut tx).await?;
    tx.commit().await?;
    Ok(format!(
        "{name} skips event {partition}:{seq}, which failed {} times ({}); the partition continues within two seconds",
        blocked.attempts, blocked.error
    ))
}

async fn blocking_event(
    name: &str,
    generation: i32,
    partition: Partition,
    db: &mut PgConnection,
) -> sqlx::Result<String> {
    let statement = query_scalar!(
        "/* skip.blocking */
        SELECT b.seq FROM blocked b
        JOIN checkpoints c USING (projection, generation, partition)
        WHERE projection = $1 AND generation = $2 AND partition = $3 AND b.seq = c.seq + 1",
        name,
        generation,
        i16::from(partition),
    );
    let seq = named("skip.blocking", statement.fetch_optional(db)).await?;
    Ok(match seq {
        Some(seq) => format!("event {partition}:{seq} does"),
        None => format!("partition {partition} is not blocked"),
    })
}
