//! How far a projection is. Moved only together with what was applied.

use feedmill_events::Partition;
use feedmill_service::sql::named;
use sqlx::{PgConnection, query, query_scalar};

use crate::{batch::Range, error::ApplyError, log::Places, projection::Definition};

/// The live generation of a projection and its checkpoints. Makes the rows that are missing.
pub async fn load(
    db: &mut PgConnection,
    projection: &Definition,
) -> Result<(i32, Places), ApplyError> {
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
    let statement = query!(
        "/* projector.ensure_checkpoints */
        INSERT INTO checkpoints (projection, generation, partition, seq)
        SELECT $1, $2, p, 0 FROM unnest($3::smallint[]) AS p ON CONFLICT DO NOTHING",
        projection.name(),
        generation,
        &Partition::all().map(i16::from).collect::<Vec<_>>(),
    );
    named("projector.ensure_checkpoints", statement.execute(&mut *db)).await?;
    let statement = query!(
        "/* projector.checkpoints */
        SELECT partition, seq FROM checkpoints WHERE projection = $1 AND generation = $2",
        projection.name(),
        generation,
    );
    let mut places = Places::default();
    for row in named("projector.checkpoints", statement.fetch_all(&mut *db)).await? {
        if let Ok(partition) = Partition::try_from(row.partition) {
            places[partition] = row.seq;
        }
    }
    Ok((generation, places))
}

/// Moves the checkpoints over these ranges, if they are where the ranges begin and the generation is live.
/// Goes first in a transaction: whoever else has the same partition waits for its end, and then fails here,
/// before any work.
///
/// Against a rebuild's swap: the projection's row is locked `FOR SHARE` until the transaction ends. Whoever
/// makes another generation live locks that row `FOR UPDATE` first, in the transaction that renames the
/// schemas. So it waits for the batches under way, whose rows are then in the schema that was live; and a
/// batch that comes later waits for it, and then finds the generation changed, before it has written anything
/// to any schema. Nothing can be applied between the two.
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
    let done = named("projector.advance", statement.execute(db)).await?;
    if done.rows_affected() == ranges.len() as u64 {
        Ok(())
    } else {
        Err(ApplyError::Conflict)
    }
}
