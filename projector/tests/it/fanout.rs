//! Whether posts are pushed or pulled changes only the cost of reads, not their result.

use feedmill_events::{
    Envelope, Event, Partition,
    event::{
        v1::{AccountFollowed, Audience},
        v2::PostCreated,
    },
    id,
};
use feedmill_tests::oracle::tables;
use projector::{
    projection::{Context, feed},
    rebuild::Outcome,
};
use rand::{SeedableRng as _, rngs::StdRng};
use sqlx::PgPool;
use uuid::Uuid;

use crate::support::{
    batches::apply_some,
    database::Database,
    rebuilding::{contents, rebuild, verify},
    world::World,
};

async fn apply_all(context: &Context, largest: i64, pool: &PgPool) {
    let mut rng = StdRng::seed_from_u64(1);
    while apply_some(&feed::DEFINITION, context, largest, &mut rng, pool)
        .await
        .is_some()
    {}
}

fn limit(fanout_max_followers: i64) -> Context {
    Context {
        feed_depth: 3,
        fanout_max_followers,
    }
}

/// The live model continues with its own setting, whatever setting its tables were rebuilt with.
#[tokio::test]
async fn a_rebuild_with_another_limit_gives_the_same_answers() {
    let (database, mut world, projection) =
        (Database::new().await, World::new(61), &feed::DEFINITION);
    let pool = database.pool_of(projection);
    for (live, rebuilt) in [(2, 0), (2, 10_000), (10_000, 1), (1, 2)] {
        database.append(&world.happen(300)).await;
        apply_all(&limit(live), 7, &pool).await;
        database.assert_equal(&world, projection).await;
        let ended = verify(&database, projection, &limit(rebuilt)).await;
        assert_eq!(ended.unwrap(), Outcome::Done, "{live}, then {rebuilt}");
        let mut made = vec![];
        for _ in 0..2 {
            let ended = rebuild(&database, projection, &limit(rebuilt), false).await;
            assert_eq!(ended.unwrap(), Outcome::Done, "{live}, then {rebuilt}");
            made.push(contents(&database, projection.name()).await);
        }
        assert_eq!(made[0], made[1]);
        database.assert_equal(&world, projection).await;
        let max = usize::try_from(rebuilt).unwrap();
        let pulled = tables::assert_pulled(&world.oracle, max, &pool).await;
        assert_eq!(pulled > 0, rebuilt < 10_000, "{pulled} with {rebuilt}");
    }
}

/// Pulled posts have no entries. Whether a post is pulled depends on its place in the log, not on whether it is in the
/// same batch as the follow that exceeds the limit.
#[tokio::test]
async fn the_follower_above_the_limit_makes_the_next_post_pulled() {
    for largest in [1, 2, 1_000] {
        let database = Database::new().await;
        let pool = database.pool_of(&feed::DEFINITION);
        let at = 1_700_000_000_000;
        let account = |n| id::compose(at, 0, n, None);
        let (author, mut events, mut posts) = (account(0), vec![], vec![]);
        for n in 0..4 {
            let post = id::compose(at + n, 0, 1, Some(Partition::of(author)));
            posts.push(post);
            events.push(Event::PostCreated(PostCreated {
                post,
                author,
                reply_to: None,
                text: String::new(),
                root_author: Some(author),
                audience: Some(Audience::Public),
            }));
            events.push(Event::AccountFollowed(AccountFollowed {
                follower: account(n.unsigned_abs() + 1),
                followee: author,
            }));
        }
        let envelopes: Vec<Envelope> = events
            .into_iter()
            .map(|event| Envelope { at, event })
            .collect();
        database.append(&envelopes).await;
        apply_all(&limit(1), largest, &pool).await;
        let pulled: Vec<Uuid> = sqlx::query_scalar("SELECT id FROM posts WHERE pulled ORDER BY 1")
            .fetch_all(&pool)
            .await
            .unwrap();
        assert_eq!(pulled, posts[2..], "in batches of {largest}");
        let entries: Vec<(Uuid, i64)> =
            sqlx::query_as("SELECT post_id, count(*) FROM feed_entries GROUP BY 1 ORDER BY 1")
                .fetch_all(&pool)
                .await
                .unwrap();
        assert_eq!(entries, [(posts[0], 5), (posts[1], 5)]);
    }
}
