//! How far a projection has applied the log. A checkpoint moves only in the transaction that applies the events.

use feedmill_events::Partition;
use feedmill_service::sql::named;
use sqlx::{PgConnection, query, query_scalar};

use crate::{batch::Range, error::ApplyError, log::Offsets, projection::Definition};

/// Loads the live generation of a projection and its checkpoints. Inserts rows that are missing.
pub async fn load(
    db: &mut PgConnection,
    projection: &Definition,
) -> Result<(i32, Offsets), ApplyError> {
    let statement = query!(
        "/* projector.ensure_projection */ INSERT INTO projections (name) VALUES ($1) ON CONFLICT DO NOTHING",
        projection.name(),
    );
    named("projector.ensure_projection", statement.execute(&mut *db)).await?;
    let statement = query_scalar!(
        "/* projector.generation */ SELECT generation FROM projections WHERE name = $1",
        projection.name(),
    );
    let generation = named("projector.generation", statement.fetch_one(&mut *db)).await?;
    create(projection, generation, &mut *db).await?;
    let checkpoints = of_generation(projection, generation, db).await?;
    Ok((generation, checkpoints))
}

/// Inserts the checkpoints of a generation that are missing, at the beginning of the log.
pub async fn create(
    projection: &Definition,
    generation: i32,
    db: &mut PgConnection,
) -> sqlx::Result<()> {
    let statement = query!(
        "/* projector.ensure_checkpoints */
        INSERT INTO checkpoints (projection, generation, partition, seq)
        SELECT $1, $2, p, 0 FROM unnest($3::smallint[]) AS p ON CONFLICT DO NOTHING",
        projection.name(),
        generation,
        &Partition::all().map(i16::from).collect::<Vec<_>>(),
    );
    named("projector.ensure_checkpoints", statement.execute(db))
        .await
        .map(drop)
}

/// The checkpoints of a generation.
pub async fn of_generation(
    projection: &Definition,
    generation: i32,
    db: &mut PgConnection,
) -> sqlx::Result<Offsets> {
    let statement = query!(
        "/* projector.checkpoints */
        SELECT partition, seq FROM checkpoints WHERE projection = $1 AND generation = $2",
        projection.name(),
        generation,
    );
    let rows = named("projector.checkpoints", statement.fetch_all(db)).await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.partition, row.seq))
        .collect())
}

/// Moves the checkpoints over these ranges, by compare-and-set. The first statement of a transaction: another instance
/// with the same partition waits here for the end of the transaction, and then fails before doing any work. Errors:
/// `Conflict` if a checkpoint is not at the beginning of its range, or another generation is live.
///
/// The row of the projection stays locked `FOR SHARE` until the transaction ends. A cutover first locks it `FOR UPDATE`,
/// in the transaction that renames the schemas. So it waits for running batches, whose rows are then in the schema that
/// was live; a later batch waits for the cutover and then finds another generation, before it has written anything.
pub async fn advance(
    projection: &Definition,
    generation: i32,
    ranges: &[Range],
    db: &mut PgConnection,
) -> Result<(), ApplyError> {
    let statement = query!(
        "/* projector.advance */
        WITH live AS MATERIALIZED (
            SELECT name, generation FROM projections WHERE name = $1 AND generation = $2 FOR SHARE
        )
        UPDATE checkpoints c SET seq = m.upto, updated_at = now()
        FROM live, unnest($3::smallint[], $4::bigint[], $5::bigint[]) AS m(partition, after, upto)
        WHERE c.projection = live.name AND c.generation = live.generation
            AND c.partition = m.partition AND c.seq = m.after",
        projection.name(),
        generation,
        &ranges
            .iter()
            .map(|range| i16::from(range.partition))
            .collect::<Vec<_>>(),
        &ranges.iter().map(|range| range.after).collect::<Vec<_>>(),
        &ranges.iter().map(|range| range.upto).collect::<Vec<_>>(),
    );
    let moved = named("projector.advance", statement.execute(db)).await?;
    if moved.rows_affected() == ranges.len() as u64 {
        Ok(())
    } else {
        Err(ApplyError::Conflict)
    }
}
