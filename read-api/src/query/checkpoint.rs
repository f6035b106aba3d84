//! How far the live projections are.

use feedmill_events::Partition;
use feedmill_service::Database;

/// A partition of a live projection, applied up to `seq`.
pub struct Checkpoint {
    pub projection: String,
    pub generation: i32,
    pub partition: Partition,
    pub seq: i64,
}

pub async fn live(database: &Database) -> sqlx::Result<Vec<Checkpoint>> {
    let rows = sqlx::query!(
        r#"/* checkpoint.live */
        SELECT c.projection, c.generation, c.partition, c.seq
        FROM projections AS p
        JOIN checkpoints AS c ON c.projection = p.name AND c.generation = p.generation"#
    );
    let rows = database.all("checkpoint.live", rows).await?;
    rows.into_iter()
        .map(|row| {
            let partition = Partition::try_from(row.partition)
                .map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
            Ok(Checkpoint {
                projection: row.projection,
                generation: row.generation,
                partition,
                seq: row.seq,
            })
        })
        .collect()
}
