//! A comparison that finds nothing proves nothing unless it would have found something: each read table is
//! made wrong in one place, and the comparison must say so.

use std::{fs, time::Duration};

use chrono::NaiveDate;
use feedmill_tests::{
    community::{Names, generate, import, model, wait_until_projected},
    compare::{Scope, every_read},
    harness::{Plan, World},
    log,
    model::Model,
};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

/// A table, and what makes one of its rows wrong.
const WRONG: &[(&str, &str)] = &[
    (
        "profiles.accounts",
        "UPDATE %t SET bio = 'x' WHERE ctid = (SELECT max(ctid) FROM %t)",
    ),
    (
        "profiles.account_counts",
        "UPDATE %t SET posts = posts + 1 WHERE ctid = (SELECT max(ctid) FROM %t)",
    ),
    (
        "profiles.follows",
        "DELETE FROM %t WHERE ctid = (SELECT max(ctid) FROM %t)",
    ),
    (
        "profiles.follows",
        "UPDATE %t SET followed_at = followed_at + interval '1 ms' WHERE ctid = (SELECT max(ctid) FROM %t)",
    ),
    (
        "feed.posts",
        "UPDATE %t SET like_count = like_count + 1 WHERE ctid = (SELECT max(ctid) FROM %t)",
    ),
    (
        "feed.posts",
        "UPDATE %t SET reply_count = reply_count + 1 WHERE ctid = (SELECT max(ctid) FROM %t)",
    ),
    (
        "feed.likes",
        "DELETE FROM %t WHERE ctid = (SELECT max(ctid) FROM %t)",
    ),
    (
        "feed.feed_entries",
        "DELETE FROM %t WHERE post_id = (SELECT max(post_id::text)::uuid FROM %t)",
    ),
    ("feed.feed_follows", "DELETE FROM %t"),
    ("feed.feed_floors", "DELETE FROM %t"),
    (
        "digest.digest_days",
        "UPDATE %t SET likes_received = likes_received + 1 WHERE ctid = (SELECT max(ctid) FROM %t)",
    ),
    (
        "notifications.notifications",
        "DELETE FROM %t WHERE ctid = (SELECT max(ctid) FROM %t)",
    ),
    (
        "conversations.members",
        "UPDATE %t SET unread_count = unread_count + 1 WHERE ctid = (SELECT max(ctid) FROM %t)",
    ),
    (
        "conversations.messages",
        "DELETE FROM %t WHERE id = (SELECT min(id::text)::uuid FROM %t)",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn the_comparison_finds_what_is_wrong() {
    let world = World::start(Plan {
        feed_depth: 3,
        // Nobody announces what is made wrong.
        environment: vec![("CACHE_MAX_BYTES".to_owned(), "0".to_owned())],
        ..Plan::default()
    })
    .await;
    let records = generate(1, 6, 300);
    let lines: Vec<_> = records
        .iter()
        .map(|record| serde_json::to_string(record).expect("JSON"))
        .collect();
    let file = world.folder.0.join("import.ndjson");
    fs::write(&file, lines.join("\n") + "\n").expect("the file");
    let run = import(&world, &file).await;
    assert!(run.success, "{}", run.output);
    wait_until_projected(&world, Duration::from_mins(1))
        .await
        .expect("all of it projected");
    let names = Names::read(&world.pool).await.expect("the names");
    let expected = model(&records, &names).expect("a model");

    compare(&world, &expected)
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    for (table, change) in WRONG {
        run_sql(
            &world,
            &format!("CREATE TABLE public.kept AS TABLE {table}"),
        )
        .await;
        let changed = run_sql(&world, &change.replace("%t", table)).await;
        assert!(changed > 0, "nothing was changed by {change} of {table}");
        let found = compare(&world, &expected).await;
        assert!(found.is_err(), "{change} of {table} went unnoticed");
        run_sql(&world, &format!("DELETE FROM {table}")).await;
        run_sql(&world, &format!("INSERT INTO {table} TABLE public.kept")).await;
        run_sql(&world, "DROP TABLE public.kept").await;
    }
    compare(&world, &expected)
        .await
        .unwrap_or_else(|error| panic!("{error}"));

    log::check_state(&world.pool, &expected)
        .await
        .expect("the state of the records");
    run_sql(
        &world,
        "DELETE FROM write.likes WHERE ctid = (SELECT max(ctid) FROM write.likes)",
    )
    .await;
    assert!(
        log::check_state(&world.pool, &expected).await.is_err(),
        "a lost like went unnoticed"
    );
    log::check_dense(&world.pool).await.expect("a dense log");
    run_sql(&world, "DELETE FROM write.events WHERE seq = 2 AND partition = (SELECT max(partition) FROM write.events WHERE seq = 2)").await;
    assert!(
        log::check_dense(&world.pool).await.is_err(),
        "a hole in the log went unnoticed"
    );
}

async fn compare(world: &World, expected: &Model) -> anyhow::Result<usize> {
    let viewers: Vec<Uuid> = expected.accounts.keys().copied().collect();
    let days: Vec<_> = (6..26)
        .filter_map(|day| NaiveDate::from_ymd_opt(2020, 1, day))
        .collect();
    let scope = Scope {
        viewers: &viewers,
        limits: &[20],
        days: &days,
        sample: usize::MAX,
    };
    every_read(world, &world.client(), expected, &scope).await
}

async fn run_sql(world: &World, sql: &str) -> u64 {
    let done = sqlx::query(AssertSqlSafe(sql.to_owned()))
        .execute(&world.pool)
        .await;
    done.unwrap_or_else(|error| panic!("{sql}: {error}"))
        .rows_affected()
}
