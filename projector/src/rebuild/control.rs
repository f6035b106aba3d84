//! The state of rebuilds in the control schema.

use std::collections::BTreeSet;

use feedmill_events::Partition;
use feedmill_service::sql::named;
use sqlx::{PgConnection, query, query_scalar};

use crate::{batch::Range, checkpoint, error::ApplyError, log::Offsets, projection::Definition};

/// The phase of a rebuild. The transaction that completes one records the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Replays most of the log in large batches.
    Bulk,
    /// Creates the indexes that the bulk load does not need.
    Index,
    /// Fills the derived tables.
    Derive,
    /// Applies the rest of the log as the live model does.
    Follow,
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Self::Bulk => "bulk",
            Self::Index => "index",
            Self::Derive => "derive",
            Self::Follow => "follow",
        }
    }

    fn by_name(name: &str) -> Option<Self> {
        [Self::Bulk, Self::Index, Self::Derive, Self::Follow]
            .into_iter()
            .find(|phase| phase.name() == name)
    }
}

/// An unfinished rebuild.
pub struct Unfinished {
    pub generation: i32,
    /// None for a phase of another version of this program.
    pub phase: Option<Phase>,
    /// The program version that began it.
    pub program: String,
    /// The definitions of the indexes to create after the bulk load.
    pub indexes: Vec<String>,
}

/// The live generation and its checkpoints.
pub async fn live(
    projection: &Definition,
    db: &mut PgConnection,
) -> Result<(i32, Offsets), ApplyError> {
    let statement = query!(
        "/* rebuild.live */
        SELECT p.generation, c.partition, c.seq FROM projections p
        JOIN checkpoints c ON c.projection = p.name AND c.generation = p.generation
        WHERE p.name = $1",
        projection.name(),
    );
    let rows = named("rebuild.live", statement.fetch_all(db)).await?;
    let live = rows.first().map_or(0, |row| row.generation);
    let checkpoints = rows.into_iter().map(|row| (row.partition, row.seq));
    Ok((live, checkpoints.collect()))
}

/// Locks the live generation: until the end of the transaction, no other becomes live and its checkpoints do not move.
pub async fn lock_live(projection: &Definition, db: &mut PgConnection) -> sqlx::Result<i32> {
    let statement = query_scalar!(
        "/* rebuild.hold_live */ SELECT generation FROM projections WHERE name = $1 FOR UPDATE",
        projection.name(),
    );
    named("rebuild.hold_live", statement.fetch_one(db)).await
}

/// Moves the checkpoints of a generation that is not live over these ranges, by compare-and-set.
pub async fn advance(
    projection: &Definition,
    generation: i32,
    ranges: &[Range],
    db: &mut PgConnection,
) -> Result<(), ApplyError> {
    let statement = query!(
        "/* rebuild.advance */
        WITH noted AS (UPDATE rebuilds SET updated_at = now() WHERE projection = $1)
        UPDATE checkpoints c SET seq = m.upto, updated_at = now()
        FROM unnest($3::smallint[], $4::bigint[], $5::bigint[]) AS m(partition, after, upto)
        WHERE c.projection = $1 AND c.generation = $2 AND c.partition = m.partition AND c.seq = m.after",
        projection.name(),
        generation,
        &ranges
            .iter()
            .map(|range| i16::from(range.partition))
            .collect::<Vec<_>>(),
        &ranges.iter().map(|range| range.after).collect::<Vec<_>>(),
        &ranges.iter().map(|range| range.upto).collect::<Vec<_>>(),
    );
    let moved = named("rebuild.advance", statement.execute(db)).await?;
    if moved.rows_affected() == ranges.len() as u64 {
        Ok(())
    } else {
        Err(ApplyError::Conflict)
    }
}

/// The unfinished rebuild of a projection, if there is one.
pub async fn find(
    projection: &Definition,
    db: &mut PgConnection,
) -> sqlx::Result<Option<Unfinished>> {
    let statement = query!(
        "/* rebuild.find */
        SELECT generation, phase, made_by, indexes FROM rebuilds WHERE projection = $1",
        projection.name(),
    );
    let row = named("rebuild.find", statement.fetch_optional(db)).await?;
    Ok(row.map(|row| Unfinished {
        generation: row.generation,
        phase: Phase::by_name(&row.phase),
        program: row.made_by,
        indexes: row.indexes,
    }))
}

/// Records a new rebuild, with checkpoints at the beginning of the log.
pub async fn begin(
    projection: &Definition,
    generation: i32,
    program: &str,
    indexes: &[String],
    db: &mut PgConnection,
) -> sqlx::Result<()> {
    let statement = query!(
        "/* rebuild.begin */
        INSERT INTO rebuilds (projection, generation, phase, made_by, indexes) VALUES ($1, $2, $3, $4, $5)",
        projection.name(),
        generation,
        Phase::Bulk.name(),
        program,
        indexes,
    );
    named("rebuild.begin", statement.execute(&mut *db)).await?;
    checkpoint::create(projection, generation, db).await
}

/// Records the phase of a rebuild.
pub async fn enter(
    projection: &Definition,
    phase: Phase,
    db: &mut PgConnection,
) -> sqlx::Result<()> {
    let statement = query!(
        "/* rebuild.enter */ UPDATE rebuilds SET phase = $2, updated_at = now() WHERE projection = $1",
        projection.name(),
        phase.name(),
    );
    named("rebuild.enter", statement.execute(db))
        .await
        .map(drop)
}

/// Deletes the record of a rebuild.
pub async fn end(projection: &Definition, db: &mut PgConnection) -> sqlx::Result<()> {
    let statement = query!(
        "/* rebuild.end */ DELETE FROM rebuilds WHERE projection = $1",
        projection.name()
    );
    named("rebuild.end", statement.execute(db)).await.map(drop)
}

/// The generations that have checkpoints, in ascending order.
pub async fn generations(projection: &Definition, db: &mut PgConnection) -> sqlx::Result<Vec<i32>> {
    let statement = query_scalar!(
        "/* rebuild.generations */
        SELECT DISTINCT generation FROM checkpoints WHERE projection = $1 ORDER BY 1",
        projection.name(),
    );
    named("rebuild.generations", statement.fetch_all(db)).await
}

/// Deletes the checkpoints and blocked partitions of these generations.
pub async fn delete_generations(
    projection: &Definition,
    generations: &[i32],
    db: &mut PgConnection,
) -> sqlx::Result<()> {
    let statement = query!(
        "/* rebuild.forget */
        WITH unblocked AS (DELETE FROM blocked WHERE projection = $1 AND generation = ANY($2))
        DELETE FROM checkpoints WHERE projection = $1 AND generation = ANY($2)",
        projection.name(),
        generations,
    );
    named("rebuild.forget", statement.execute(db))
        .await
        .map(drop)
}

/// Changes the number of a generation.
pub async fn renumber(
    projection: &Definition,
    from: i32,
    to: i32,
    db: &mut PgConnection,
) -> sqlx::Result<()> {
    let statement = query!(
        "/* rebuild.renumber */
        WITH unblocked AS (DELETE FROM blocked WHERE projection = $1 AND generation = $2)
        UPDATE checkpoints SET generation = $3 WHERE projection = $1 AND generation = $2",
        projection.name(),
        from,
        to,
    );
    named("rebuild.renumber", statement.execute(db))
        .await
        .map(drop)
}

/// Makes a generation the live one.
pub async fn set_live(
    projection: &Definition,
    generation: i32,
    db: &mut PgConnection,
) -> sqlx::Result<()> {
    let statement = query!(
        "/* rebuild.set_live */ UPDATE projections SET generation = $2 WHERE name = $1",
        projection.name(),
        generation,
    );
    named("rebuild.set_live", statement.execute(db))
        .await
        .map(drop)
}

/// The events that operators let the projection skip.
pub async fn skipped(
    projection: &Definition,
    db: &mut PgConnection,
) -> sqlx::Result<BTreeSet<(Partition, i64)>> {
    let statement = query!(
        r#"/* rebuild.skipped */
        SELECT partition AS "partition!", seq AS "seq!" FROM audit
        WHERE action = 'skip' AND projection = $1 AND partition IS NOT NULL AND seq IS NOT NULL"#,
        projection.name(),
    );
    let rows = named("rebuild.skipped", statement.fetch_all(db)).await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| Some((Partition::try_from(row.partition).ok()?, row.seq)))
        .collect())
}
