//! The checkpoints of the live projections.

use feedmill_events::{Partition, Projection};
use feedmill_service::Database;

/// A partition of a live projection, applied up to `seq`.
pub struct Checkpoint {
    pub projection: Projection,
    pub generation: i32,
    pub partition: Partition,
    pub seq: i64,
}

/// All checkpoints of the live generations. Projections that this program does not know are left out.
pub async fn live(database: &Database) -> sqlx::Result<Vec<Checkpoint>> {
    let rows = sqlx::query!(
        r#"/* checkpoint.live */
        SELECT c.projection, c.generation, c.partition, c.seq
        FROM projections AS p
        JOIN checkpoints AS c ON c.projection = p.name AND c.generation = p.generation"#
    );
    let rows = database.all("checkpoint.live", rows).await?;
    let mut checkpoints = Vec::with_capacity(rows.len());
    for row in rows {
        let partition = Partition::try_from(row.partition)
            .map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        if let Ok(projection) = row.projection.parse() {
            checkpoints.push(Checkpoint {
                projection,
                generation: row.generation,
                partition,
                seq: row.seq,
            });
        }
    }
    Ok(checkpoints)
}
