//! Applies random batches, one at a time.

use feedmill_events::{Partition, Tag};
use projector::{
    batch::{Batch, Range},
    checkpoint, log,
    projection::{Context, Definition},
};
use rand::{Rng as _, rngs::StdRng, seq::SliceRandom as _};
use sqlx::PgPool;

/// Applies the next events of some partitions, at most `largest` of each. Returns the tags of what changed, or None if
/// there was nothing to apply.
pub async fn apply_some(
    projection: &Definition,
    context: &Context,
    largest: i64,
    rng: &mut StdRng,
    pool: &PgPool,
) -> Option<Vec<Tag>> {
    let heads = log::heads(pool).await.unwrap();
    let (generation, done) = checkpoint::load(&mut pool.acquire().await.unwrap(), projection)
        .await
        .unwrap();
    let mut partitions: Vec<Partition> =
        Partition::all().filter(|p| heads[*p] > done[*p]).collect();
    if partitions.is_empty() {
        return None;
    }
    partitions.shuffle(rng);
    partitions.truncate(rng.gen_range(1..=partitions.len()));
    let ranges: Vec<Range> = partitions
        .into_iter()
        .map(|partition| {
            let after = done[partition];
            let upto = heads[partition].min(after + rng.gen_range(1..=largest));
            Range {
                partition,
                after,
                upto,
            }
        })
        .collect();
    let entries = log::read(pool, projection.event_types, &ranges)
        .await
        .unwrap();
    let batch = Batch::decode(projection.event_types, entries).unwrap();
    let mut tx = pool.begin().await.unwrap();
    checkpoint::advance(projection, generation, &batch.ranges, &mut tx)
        .await
        .unwrap();
    let tags = (projection.apply)(&batch, context, &mut tx).await.unwrap();
    tx.commit().await.unwrap();
    Some(tags)
}
