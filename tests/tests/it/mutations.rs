//! The comparison finds errors: each read table is changed in one place, and a read must differ then.

use std::{collections::BTreeSet, time::Duration};

use chrono::NaiveDate;
use feedmill_events::Projection;
use feedmill_tests::{
    compare::{Scope, every_read},
    import::{Names, Record, generate, import_lines, oracle},
    kit::{Stack, StackConfig},
    log,
    oracle::Oracle,
};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

/// Tables that only the projector reads, to apply later events or for metrics; and those that an import leaves empty.
const NOT_MUTATED: [&str; 12] = [
    "feed.post_totals",
    "profiles.account_totals",
    "feed.feed_marks",
    "feed.deleted_replies",
    "feed.feed_followers",
    "feed.tag_posts",
    "digest.digest_received",
    "digest.digest_members",
    "digest.digest_former_members",
    "notifications.notification_marks",
    "profiles.connection_requests",
    "profiles.account_settings",
];

/// A table, and a statement that makes one of its rows wrong.
const MUTATIONS: &[(&str, &str)] = &[
    (
        "profiles.accounts",
        "UPDATE %t SET bio = 'x' WHERE ctid = (SELECT max(ctid) FROM %t)",
    ),
    (
        "profiles.account_counts",
        "UPDATE %t SET followers = followers + 1 WHERE ctid = (SELECT max(ctid) FROM %t)",
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
        "profiles.connections",
        "DELETE FROM %t WHERE ctid = (SELECT max(ctid) FROM %t)",
    ),
    (
        "profiles.connections",
        "UPDATE %t SET connected_at = connected_at + interval '1 ms' WHERE ctid = (SELECT max(ctid) FROM %t)",
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
        "feed.posts",
        "UPDATE %t SET text = text || '!' WHERE ctid = (SELECT max(ctid) FROM %t)",
    ),
    (
        "feed.posts",
        "UPDATE %t SET edited_at = created_at WHERE ctid = (SELECT max(ctid) FROM %t)",
    ),
    (
        "feed.likes",
        "DELETE FROM %t WHERE ctid = (SELECT max(ctid) FROM %t)",
    ),
    (
        "feed.likes",
        "UPDATE %t SET liked_at = liked_at + interval '1 ms' WHERE ctid = (SELECT max(ctid) FROM %t)",
    ),
    (
        "feed.bookmarks",
        "DELETE FROM %t WHERE ctid = (SELECT max(ctid) FROM %t)",
    ),
    (
        "feed.feed_entries",
        "DELETE FROM %t WHERE post_id = (SELECT max(post_id::text)::uuid FROM %t)",
    ),
    (
        "feed.feed_entries",
        "UPDATE %t SET shared_with = 'ffffffff-ffff-ffff-ffff-ffffffffffff' WHERE shared_with IS NULL",
    ),
    ("feed.feed_follows", "DELETE FROM %t"),
    (
        "feed.feed_follows",
        "UPDATE %t SET muted = NOT muted WHERE links > 0",
    ),
    ("feed.feed_follows", "UPDATE %t SET connected = NOT connected"),
    ("feed.feed_follows", "UPDATE %t SET blocks = true WHERE links > 0"),
    ("feed.feed_follows", "UPDATE %t SET blocked = true WHERE links > 0"),
    (
        "feed.posts",
        "UPDATE %t SET audience = 3 WHERE audience = 0 AND reply_to IS NULL",
    ),
    ("feed.audiences", "DELETE FROM %t"),
    ("feed.audiences", "UPDATE %t SET audience = 3 WHERE audience = 1"),
    (
        "feed.audiences",
        "UPDATE %t SET tags = tags || tags WHERE audience = 2",
    ),
    (
        "feed.post_counts",
        "UPDATE %t SET posts = posts + 1 WHERE ctid = (SELECT max(ctid) FROM %t)",
    ),
    ("feed.blocks", "DELETE FROM %t"),
    (
        "feed.blocks",
        "UPDATE %t SET blocked_at = blocked_at + interval '1 ms'",
    ),
    ("feed.tags", "UPDATE %t SET members = members + 1"),
    ("feed.tags", "UPDATE %t SET name = name || '?'"),
    (
        "feed.tag_members",
        "UPDATE %t SET added_at = added_at + interval '1 ms'",
    ),
    (
        "feed.mutes",
        "DELETE FROM %t WHERE ctid = (SELECT max(ctid) FROM %t)",
    ),
    ("feed.feed_floors", "DELETE FROM %t"),
    ("feed.pulled_authors", "DELETE FROM %t"),
    (
        "digest.digest_days",
        "UPDATE %t SET likes_received = likes_received + 1 WHERE ctid = (SELECT max(ctid) FROM %t)",
    ),
    // All of them: those about a muted account are not shown, and a viewer who mutes somebody has a total of their own.
    ("notifications.notifications", "DELETE FROM %t"),
    (
        "notifications.notifications",
        "UPDATE %t SET own_thread = NOT own_thread WHERE reply IS NOT NULL",
    ),
    (
        "notifications.notification_totals",
        "UPDATE %t SET total = total + 1",
    ),
    (
        "conversations.conversation_counts",
        "UPDATE %t SET conversations = conversations + 1 WHERE ctid = (SELECT max(ctid) FROM %t)",
    ),
    (
        "conversations.conversations",
        "UPDATE %t SET message_count = message_count + 1 WHERE ctid = (SELECT max(ctid) FROM %t)",
    ),
    ("conversations.conversations", "UPDATE %t SET pair = NOT pair"),
    (
        "conversations.members",
        "UPDATE %t SET unread_count = unread_count + 1 WHERE ctid = (SELECT max(ctid) FROM %t)",
    ),
    (
        "conversations.members",
        "UPDATE %t SET read_up_to = NULL WHERE ctid = (SELECT max(ctid) FROM %t WHERE read_up_to IS NOT NULL)",
    ),
    (
        "conversations.members",
        "UPDATE %t SET hidden_count = hidden_count + 1 WHERE ctid = (SELECT max(ctid) FROM %t)",
    ),
    (
        "conversations.members",
        "UPDATE %t SET since = (SELECT max(activity::text)::uuid FROM %t) WHERE ctid = (SELECT max(ctid) FROM %t
        WHERE conversation IN (SELECT conversation FROM conversations.messages))",
    ),
    (
        "conversations.members",
        "UPDATE %t SET muted = true WHERE ctid = (SELECT max(ctid) FROM %t)",
    ),
    (
        "conversations.messages",
        "DELETE FROM %t WHERE id = (SELECT min(id::text)::uuid FROM %t)",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_mutation_of_a_read_table_is_found() {
    let stack = Stack::start(StackConfig {
        feed_depth: 3,
        // Nobody announces these changes, so a cache would hide them.
        environment: vec![("CACHE_MAX_BYTES".to_owned(), "0".to_owned())],
        ..StackConfig::default()
    })
    .await;
    let records = generate(11, 6, 300);
    import_lines(&stack, records.iter().map(Record::line)).await;
    log::wait_until_projected(&stack.pool, Duration::from_mins(1))
        .await
        .expect("everything projected");
    let names = Names::read(&stack.pool).await.expect("the names");
    let expected = oracle(&records, &names).expect("the oracle");
    let mutated = MUTATIONS.iter().map(|(table, _)| (*table).to_owned());
    let known: BTreeSet<_> = mutated.chain(NOT_MUTATED.map(str::to_owned)).collect();
    for projection in Projection::ALL {
        let tables: Vec<String> = sqlx::query_scalar(
            "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname = $1",
        )
        .bind(projection.name())
        .fetch_all(&stack.pool)
        .await
        .expect("the tables");
        let lacking: Vec<_> = tables
            .iter()
            .filter(|table| !known.contains(*table))
            .collect();
        assert!(lacking.is_empty(), "MUTATIONS lacks {lacking:?}");
    }

    compare(&stack, &expected)
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    for (table, change) in MUTATIONS {
        run_sql(
            &stack,
            &format!("CREATE TABLE public.original AS TABLE {table}"),
        )
        .await;
        let changed = run_sql(&stack, &change.replace("%t", table)).await;
        assert!(changed > 0, "{change} of {table} changes nothing");
        let found = compare(&stack, &expected).await;
        assert!(found.is_err(), "not found: {change} of {table}");
        run_sql(&stack, &format!("DELETE FROM {table}")).await;
        run_sql(
            &stack,
            &format!("INSERT INTO {table} TABLE public.original"),
        )
        .await;
        run_sql(&stack, "DROP TABLE public.original").await;
    }
    compare(&stack, &expected)
        .await
        .unwrap_or_else(|error| panic!("{error}"));

    log::check_state(&stack.pool, &expected)
        .await
        .expect("the state of the records");
    for table in ["links", "blocks", "audiences"] {
        let table = format!("write.{table}");
        let copy = "CREATE TABLE public.original AS TABLE";
        run_sql(&stack, &format!("{copy} {table}")).await;
        let lost = format!("DELETE FROM {table} WHERE ctid = (SELECT max(ctid) FROM {table})");
        run_sql(&stack, &lost).await;
        assert!(
            log::check_state(&stack.pool, &expected).await.is_err(),
            "not found: a lost row of {table}"
        );
        run_sql(&stack, &format!("DELETE FROM {table}")).await;
        run_sql(
            &stack,
            &format!("INSERT INTO {table} TABLE public.original"),
        )
        .await;
        run_sql(&stack, "DROP TABLE public.original").await;
    }
    log::check_dense(&stack.pool).await.expect("a dense log");
    run_sql(&stack, "DELETE FROM write.events WHERE seq = 2 AND partition = (SELECT max(partition) FROM write.events WHERE seq = 2)").await;
    assert!(
        log::check_dense(&stack.pool).await.is_err(),
        "not found: a gap in the log"
    );
}

async fn compare(stack: &Stack, expected: &Oracle) -> anyhow::Result<usize> {
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
    every_read(stack, &stack.client(), expected, &scope).await
}

async fn run_sql(stack: &Stack, sql: &str) -> u64 {
    let done = sqlx::query(AssertSqlSafe(sql.to_owned()))
        .execute(&stack.pool)
        .await;
    done.unwrap_or_else(|error| panic!("{sql}: {error}"))
        .rows_affected()
}
