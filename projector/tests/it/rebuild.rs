//! A rebuild fills the same tables beside the live ones, and the cutover happens while everything continues.

mod concurrency;
mod kills;
mod logic;
mod throttling;

use std::time::Duration;

use feedmill_tests::kit::Nats;
use projector::{
    projection::{self, Context, digest, feed, profiles},
    rebuild::Outcome,
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use sqlx::Connection as _;

use crate::support::{
    database::Database,
    program::run,
    rebuilding::{contents, generation, indexes, rebuild, shadow_schemas, verify},
    running::Running,
    world::World,
};

const TIMEOUT: Duration = Duration::from_secs(20);
const SMALL_FEEDS: Context = Context {
    feed_depth: 3,
    fanout_max_followers: 3,
};

/// Fills the log and starts a worker per projection.
async fn lively(seed: u64, events: usize) -> (Database, Nats, World, Vec<Running>) {
    let (database, nats, mut world) = (Database::new().await, Nats::absent(), World::new(seed));
    let mut workers = vec![];
    for projection in projection::ALL {
        workers.push(Running::start(projection, SMALL_FEEDS, &database, &nats.url()).await);
    }
    for _ in 0..events.div_ceil(150) {
        database.append(&world.happen(150)).await;
        for projection in projection::ALL {
            database.caught_up(projection, TIMEOUT).await;
        }
    }
    (database, nats, world, workers)
}

async fn stop(workers: Vec<Running>) {
    for worker in workers {
        worker.stop().await;
    }
}

/// The tables of a schema that read-api may read.
async fn readable(database: &Database, schema: &str) -> Vec<String> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT tablename::text FROM pg_tables
        WHERE schemaname = $1
            AND has_table_privilege('feedmill_read', format('%I.%I', schemaname, tablename), 'SELECT')
            AND has_schema_privilege('feedmill_read', schemaname, 'USAGE')
        ORDER BY tablename",
    )
    .bind(schema)
    .fetch_all(&database.pool)
    .await
    .unwrap();
    assert!(!tables.is_empty(), "{schema}");
    tables
}

#[tokio::test]
async fn a_rebuild_equals_the_live_model_and_replaces_it() {
    let (database, _nats, mut world, workers) = lively(31, 900).await;
    for projection in projection::ALL {
        let (schema, before) = (
            projection.name(),
            contents(&database, projection.name()).await,
        );
        let of_live = indexes(&database, schema).await;
        let readable_before = readable(&database, schema).await;
        let ended = rebuild(&database, projection, &SMALL_FEEDS, false)
            .await
            .unwrap();
        assert_eq!(ended, Outcome::Done, "{schema}");
        assert_eq!(generation(&database, projection).await, 2);
        assert_eq!(readable(&database, schema).await, readable_before);
        assert_eq!(indexes(&database, schema).await, of_live);
        let after = contents(&database, schema).await;
        for (old, new) in before.iter().zip(&after) {
            if !["feed_entries", "feed_floors"].contains(&old.0.as_str()) {
                assert_eq!(old, new, "{schema}");
            }
        }
        assert_eq!(
            contents(&database, &format!("{schema}_previous")).await,
            before
        );
        database.assert_equal(&world, projection).await;
    }
    // The workers continue with the new generation.
    database.append(&world.happen(200)).await;
    for projection in projection::ALL {
        database.caught_up(projection, TIMEOUT).await;
        database.assert_equal(&world, projection).await;
    }
    stop(workers).await;
}

#[tokio::test]
async fn two_rebuilds_of_the_same_log_give_the_same_rows() {
    let (database, _nats, world, workers) = lively(32, 1_200).await;
    stop(workers).await;
    for projection in projection::ALL {
        let mut made = vec![];
        for _ in 0..2 {
            let ended = rebuild(&database, projection, &SMALL_FEEDS, false)
                .await
                .unwrap();
            assert_eq!(ended, Outcome::Done);
            made.push(contents(&database, projection.name()).await);
        }
        assert_eq!(made[0], made[1], "{}", projection.name());
        database.assert_equal(&world, projection).await;
    }
}

#[tokio::test]
async fn an_interrupted_rebuild_resumes_with_the_same_result() {
    let (database, _nats, world, workers) = lively(34, 600).await;
    stop(workers).await;
    let projection = &feed::DEFINITION;
    assert_eq!(
        rebuild(&database, projection, &SMALL_FEEDS, false)
            .await
            .unwrap(),
        Outcome::Done
    );
    let whole = contents(&database, projection.name()).await;
    let mut rng = StdRng::seed_from_u64(34);
    let mut generation_before = 2;
    for _ in 0..10 {
        let wait = Duration::from_millis(rng.gen_range(10..400));
        // The future is dropped at any point, and its connections with it.
        let ended =
            tokio::time::timeout(wait, rebuild(&database, projection, &SMALL_FEEDS, false)).await;
        let live = generation(&database, projection).await;
        match ended {
            Ok(ended) => assert_eq!(ended.unwrap(), Outcome::Done),
            Err(_) => println!("killed after {wait:?}, generation {live} is live"),
        }
        assert!([generation_before, generation_before + 1].contains(&live));
        generation_before = live;
        assert_eq!(contents(&database, projection.name()).await, whole);
        database.assert_equal(&world, projection).await;
    }
    assert_eq!(
        rebuild(&database, projection, &SMALL_FEEDS, false)
            .await
            .unwrap(),
        Outcome::Done
    );
    assert_eq!(contents(&database, projection.name()).await, whole);
}

#[tokio::test]
async fn verify_prints_damaged_rows_and_a_rebuild_repairs_them_only_if_told_to() {
    let (database, nats, world, workers) = lively(35, 600).await;
    let (projection, all) = (&profiles::DEFINITION, ["verify", "--all", "--json"]);
    let ended = run(&database, &nats.url(), &all).await;
    assert_eq!(ended.code, 0, "{}", ended.text);
    let account = *world.oracle.accounts.keys().next().unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
        "UPDATE profiles.account_counts SET followers = followers + 7 WHERE account = '{account}';
        DELETE FROM profiles.accounts WHERE id = '{account}';
        DELETE FROM feed.feed_entries WHERE ctid = (SELECT ctid FROM feed.feed_entries
            LEFT JOIN feed.feed_floors USING (viewer) ORDER BY post_id DESC LIMIT 1)",
    )))
    .execute(&database.pool)
    .await
    .unwrap();
    let ended = run(&database, &nats.url(), &all).await;
    assert_eq!(ended.code, 3, "{}", ended.text);
    for wanted in [
        "account_counts",
        "\"followers\":",
        "\"display_name\":",
        "lacks post",
    ] {
        assert!(ended.text.contains(wanted), "no {wanted} in {}", ended.text);
    }
    assert!(ended.text.contains(&account.to_string()));
    assert!(shadow_schemas(&database).await.is_empty());
    let ended = run(&database, &nats.url(), &["rebuild", "profiles"]).await;
    assert_eq!(ended.code, 3, "{}", ended.text);
    assert_eq!(generation(&database, projection).await, 1);
    let ended = run(
        &database,
        &nats.url(),
        &["rebuild", "profiles", "feed", "--accept-differences"],
    )
    .await;
    assert_eq!(ended.code, 0, "{}", ended.text);
    for projection in [projection, &feed::DEFINITION] {
        database.assert_equal(&world, projection).await;
        assert_eq!(
            verify(&database, projection, &SMALL_FEEDS).await.unwrap(),
            Outcome::Done
        );
    }
    stop(workers).await;
}

#[tokio::test]
async fn a_rollback_brings_the_previous_tables_up_to_date() {
    let (database, nats, mut world, workers) = lively(36, 500).await;
    let projection = &digest::DEFINITION;
    assert_eq!(
        rebuild(&database, projection, &SMALL_FEEDS, false)
            .await
            .unwrap(),
        Outcome::Done
    );
    for round in 0..3 {
        database.append(&world.happen(200)).await;
        database.caught_up(projection, TIMEOUT).await;
        let ended = run(&database, &nats.url(), &["rollback", "digest"]).await;
        assert_eq!(ended.code, 0, "{}", ended.text);
        assert_eq!(generation(&database, projection).await, 3 + round);
        database.append(&world.happen(50)).await;
        database.caught_up(projection, TIMEOUT).await;
        database.assert_equal(&world, projection).await;
    }
    assert_eq!(shadow_schemas(&database).await, ["digest_previous"]);
    let ended = run(&database, &nats.url(), &["drop-previous", "digest"]).await;
    assert_eq!(ended.code, 0, "{}", ended.text);
    assert!(shadow_schemas(&database).await.is_empty());
    let generations: i64 = sqlx::query_scalar(
        "SELECT count(DISTINCT generation) FROM projector.checkpoints WHERE projection = 'digest'",
    )
    .fetch_one(&database.pool)
    .await
    .unwrap();
    assert_eq!(generations, 1);
    assert_eq!(
        run(&database, &nats.url(), &["rollback", "digest"])
            .await
            .code,
        1
    );
    assert_eq!(
        run(&database, &nats.url(), &["drop-previous", "digest"])
            .await
            .code,
        1
    );
    stop(workers).await;
}

#[tokio::test]
async fn an_unfinished_rebuild_can_be_aborted_and_two_at_once_are_refused() {
    let (database, nats, world, workers) = lively(37, 300).await;
    let projection = &profiles::DEFINITION;
    sqlx::raw_sql("UPDATE profiles.account_counts SET following = following + 1")
        .execute(&database.pool)
        .await
        .unwrap();
    assert_eq!(
        rebuild(&database, projection, &SMALL_FEEDS, false)
            .await
            .unwrap(),
        Outcome::Differs
    );
    assert_eq!(shadow_schemas(&database).await, ["profiles_next"]);
    assert_eq!(
        run(&database, &nats.url(), &["rollback", "profiles"])
            .await
            .code,
        1
    );
    // Another operation holds the lock.
    let mut other = sqlx::PgConnection::connect(&database.url).await.unwrap();
    let lock = "SELECT pg_advisory_lock(x'72656275'::int, hashtext('profiles'))";
    sqlx::raw_sql(lock).execute(&mut other).await.unwrap();
    let ended = run(&database, &nats.url(), &["rebuild", "profiles"]).await;
    assert_eq!(ended.code, 4, "{}", ended.text);
    other.close().await.unwrap();
    let ended = run(&database, &nats.url(), &["abort", "profiles"]).await;
    assert_eq!(ended.code, 0, "{}", ended.text);
    assert!(shadow_schemas(&database).await.is_empty());
    assert_eq!(
        run(&database, &nats.url(), &["abort", "profiles"])
            .await
            .code,
        1
    );
    let ended = rebuild(&database, projection, &SMALL_FEEDS, true)
        .await
        .unwrap();
    assert_eq!(ended, Outcome::Done);
    database.assert_equal(&world, projection).await;
    stop(workers).await;
}
