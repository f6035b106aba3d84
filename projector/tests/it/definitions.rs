//! Each projection equals its definition, for random events and any division of the log into batches.

use std::collections::BTreeMap;

use feedmill_events::{Envelope, Event, event::v1::MessageSent, id};
use feedmill_tests::{
    link::{LinkKind, LinkTarget},
    log::Raw,
    oracle::tables,
};
use projector::{
    projection::{self, Context, Definition},
    rebuild::Outcome,
};
use rand::{SeedableRng as _, rngs::StdRng};
use sqlx::PgPool;
use uuid::Uuid;

use crate::support::{batches::apply_some, database::Database, rebuilding::rebuild, world::World};

const SMALL_FEEDS: Context = Context {
    feed_depth: 3,
    fanout_max_followers: 3,
};

/// Applies the whole log in batches of random partitions and sizes.
async fn apply_all(
    projection: &Definition,
    context: &Context,
    largest: i64,
    rng: &mut StdRng,
    pool: &PgPool,
) {
    while apply_some(projection, context, largest, rng, pool)
        .await
        .is_some()
    {}
}

/// Panics unless the derived tables agree with the others, and `posts.shared_with` with the audiences.
async fn assert_derived(projection: &Definition, pool: &PgPool) {
    let derived = projection.rebuild.derived.as_ref().unwrap();
    let mut db = pool.acquire().await.unwrap();
    let wrong = (derived.check)(10, &mut db).await.unwrap();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let sql = "SELECT p.id FROM posts p LEFT JOIN audiences a ON a.root = p.id
        WHERE p.shared_with IS DISTINCT FROM CASE
            WHEN p.reply_to IS NOT NULL OR a.root IS NULL THEN NULL
            WHEN a.audience = 1 THEN a.author
            WHEN a.audience = 2 AND cardinality(a.tags) = 1 THEN a.tags[1]
            WHEN a.audience = 3 THEN 'ffffffff-ffff-ffff-ffff-ffffffffffff'
            ELSE '00000000-0000-0000-0000-000000000000'
        END";
    let wrong: Vec<Uuid> = sqlx::query_scalar(sql).fetch_all(pool).await.unwrap();
    assert!(wrong.is_empty(), "`shared_with` is wrong in {wrong:?}");
}

/// How many threads are public again, and how many limited ones have replies of others, but no root any more.
async fn unusual_threads(pool: &PgPool) -> (i64, i64) {
    let sql = "SELECT count(*) FILTER (WHERE audience = 0), count(*) FILTER (WHERE audience <> 0 AND EXISTS (
                SELECT FROM posts p WHERE p.root = a.root AND p.author <> a.author
            ) AND NOT EXISTS (SELECT FROM posts p WHERE p.id = a.root))
        FROM audiences a";
    sqlx::query_as(sql).fetch_one(pool).await.unwrap()
}

async fn equals_its_definition(projection: &'static Definition) {
    let (mut floors, mut pulled) = (0, 0);
    let (mut public_again, mut rootless) = (0, 0);
    let mut short_lived: BTreeMap<LinkKind, usize> = BTreeMap::new();
    for seed in 0..4 {
        let database = Database::new().await;
        let pool = database.pool_of(projection);
        let (mut world, mut rng) = (World::new(seed), StdRng::seed_from_u64(seed));
        let largest = [1, 3, 10, 1_000][usize::try_from(seed % 4).unwrap()];
        for _ in 0..5 {
            database.append(&world.happen(200)).await;
            apply_all(projection, &SMALL_FEEDS, largest, &mut rng, &pool).await;
            println!(
                "{} seed {seed}, batches up to {largest} a partition",
                projection.name()
            );
            database.assert_equal(&world, projection).await;
            if projection.name() == "feed" {
                pulled += tables::assert_pulled(&world.oracle, 3, &pool).await;
                let trimmed = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM feed_floors");
                floors += trimmed.fetch_one(&pool).await.unwrap();
                assert_derived(projection, &pool).await;
            }
        }
        if projection.name() == "feed" {
            let threads = unusual_threads(&pool).await;
            (public_again, rootless) = (public_again + threads.0, rootless + threads.1);
        }
        for (kind, count) in world.short_lived_links {
            *short_lived.entry(kind).or_default() += count;
        }
    }
    let to_posts = LinkKind::ALL
        .into_iter()
        .filter(|kind| kind.target() == LinkTarget::Post);
    assert!(
        short_lived.len() == to_posts.count() && short_lived.values().all(|count| *count > 20),
        "links to posts that are deleted soon, which are too few to test: {short_lived:?}"
    );
    assert!(
        projection.name() != "feed"
            || floors > 20 && pulled > 20 && public_again > 20 && rootless > 1,
        "only {floors} feeds were trimmed, {pulled} posts pulled, {public_again} threads made public again and {rootless} \
         limited ones left without their root, which tests too little"
    );
}

#[tokio::test]
async fn profiles_equal_their_definition() {
    equals_its_definition(&projection::profiles::DEFINITION).await;
}

#[tokio::test]
async fn feed_equals_its_definition() {
    equals_its_definition(&projection::feed::DEFINITION).await;
}

#[tokio::test]
async fn digest_equals_its_definition() {
    equals_its_definition(&projection::digest::DEFINITION).await;
}

#[tokio::test]
async fn conversations_equal_their_definition() {
    equals_its_definition(&projection::conversations::DEFINITION).await;
}

#[tokio::test]
async fn notifications_equal_their_definition() {
    equals_its_definition(&projection::notifications::DEFINITION).await;
}

/// The golden bytes of version 1, followed by an event of the current version.
#[tokio::test]
async fn a_log_with_old_event_versions_is_projected_and_rebuilt() {
    let golden = include_str!("../../../events/tests/golden.txt");
    let golden = golden
        .lines()
        .find_map(|line| line.strip_prefix("conversation.created.v1 "))
        .unwrap();
    let bytes: Vec<u8> = (0..golden.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&golden[at..at + 2], 16).unwrap())
        .collect();
    let old = Envelope::decode(&bytes).unwrap();
    let Event::ConversationCreated(created) = &old.event else {
        panic!("{old:?}")
    };
    assert_eq!(created.creator, None);
    let message = Event::MessageSent(MessageSent {
        conversation: created.conversation,
        message: id::compose(old.at + 1, 0, 0, Some(old.event.partition())),
        sender: created.members[0],
        text: "hello".to_owned(),
    });
    let new = Envelope {
        at: old.at + 1,
        event: message,
    };
    let database = Database::new().await;
    let old = Raw {
        body: bytes,
        ..Raw::from(&old)
    };
    database.append_raw(&[old, Raw::from(&new)]).await;

    let mut expected: Vec<_> = created.members.iter().copied().zip([0, 1]).collect();
    expected.sort_unstable();
    let projection = &projection::conversations::DEFINITION;
    let pool = database.pool_of(projection);
    let mut rng = StdRng::seed_from_u64(1);
    apply_all(projection, &SMALL_FEEDS, 10, &mut rng, &pool).await;
    for rebuilt in [false, true] {
        if rebuilt {
            let ended = rebuild(&database, projection, &SMALL_FEEDS, false)
                .await
                .unwrap();
            assert_eq!(ended, Outcome::Done);
        }
        let unread: Vec<(Uuid, i64)> =
            sqlx::query_as("SELECT user_id, unread_count FROM members ORDER BY 1")
                .fetch_all(&pool)
                .await
                .unwrap();
        assert_eq!(unread, expected);
    }
}
