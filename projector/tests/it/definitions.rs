//! Each projection equals its definition, whatever happens and however it is cut into batches.

use feedmill_events::Partition;
use projector::{
    batch::{Batch, Range},
    checkpoint, log,
    projection::{self, Context, Projection},
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use sqlx::PgPool;

use crate::support::{database::Database, model, world::World};

const SMALL: Context = Context {
    feed_depth: 3,
    feed_trim_one_in: 2,
};

/// Applies all there is in batches of random partitions and sizes.
async fn apply_all(
    projection: &Projection,
    context: &Context,
    largest: i64,
    rng: &mut StdRng,
    pool: &PgPool,
) {
    let heads = log::heads(pool).await.unwrap();
    loop {
        let (generation, done) = checkpoint::load(pool, projection).await.unwrap();
        let mut partitions: Vec<Partition> =
            Partition::all().filter(|p| heads[*p] > done[*p]).collect();
        if partitions.is_empty() {
            return;
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
        let entries = log::read(pool, projection, &ranges).await.unwrap();
        let batch = Batch::decode(projection, entries).unwrap();
        let mut tx = pool.begin().await.unwrap();
        checkpoint::advance(projection, generation, &batch.ranges, &mut tx)
            .await
            .unwrap();
        (projection.apply)(&batch, context, &mut tx).await.unwrap();
        tx.commit().await.unwrap();
    }
}

async fn equals_its_definition(projection: &'static Projection) {
    for seed in 0..4 {
        let database = Database::new().await;
        let pool = database.pool(projection);
        let (mut world, mut rng) = (World::new(seed), StdRng::seed_from_u64(seed));
        let largest = [1, 3, 10, 1_000][usize::try_from(seed % 4).unwrap()];
        for _ in 0..5 {
            database.append(&world.happen(200)).await;
            apply_all(projection, &SMALL, largest, &mut rng, &pool).await;
            println!(
                "{} seed {seed}, batches up to {largest} a partition",
                projection.name
            );
            model::assert_equal(&world, projection, &pool).await;
        }
        if projection.name == "feed" {
            let floors: i64 = sqlx::query_scalar("SELECT count(*) FROM feed_floors")
                .fetch_one(&pool)
                .await
                .unwrap();
            assert!(
                floors > 0,
                "no feed was ever cut, so the test shows less than it should"
            );
        }
    }
}

#[tokio::test]
async fn profiles_equal_their_definition() {
    equals_its_definition(&projection::profiles::PROJECTION).await;
}

#[tokio::test]
async fn feed_equals_its_definition() {
    equals_its_definition(&projection::feed::PROJECTION).await;
}

#[tokio::test]
async fn digest_equals_its_definition() {
    equals_its_definition(&projection::digest::PROJECTION).await;
}

#[tokio::test]
async fn conversations_equal_their_definition() {
    equals_its_definition(&projection::conversations::PROJECTION).await;
}

#[tokio::test]
async fn notifications_equal_their_definition() {
    equals_its_definition(&projection::notifications::PROJECTION).await;
}
