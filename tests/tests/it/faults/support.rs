//! What the tests of faults share.

use std::time::Duration;

use feedmill_tests::{
    client::{Client, http},
    compare::{Scope, every_read},
    jetstream,
    kit::{Stack, StackConfig, wait_until_within},
    log, token,
};
use uuid::Uuid;

/// A stack with two instances of write-api and a PostgreSQL server of its own.
pub async fn start(projectors: usize) -> Stack {
    Stack::start(StackConfig {
        write: 2,
        projectors,
        faults: true,
        ..StackConfig::default()
    })
    .await
}

/// The status of a read without a position; 0 without an answer.
pub async fn read_status(client: &Client, path: &str) -> u16 {
    let request = http()
        .get(format!("{}{path}", client.read))
        .timeout(Duration::from_secs(20));
    let answer = client.try_send(client.signed(request)).await;
    answer.map_or(0, |answer| answer.status.as_u16())
}

/// Panics unless the log is dense and contains every acknowledged post once, and every read equals its definition.
pub async fn assert_nothing_lost(stack: &Stack, written: &[Uuid]) {
    log::check_dense(&stack.pool).await.expect("a dense log");
    let oracle = log::fold(&stack.pool).await.expect("a legal log");
    log::check_state(&stack.pool, &oracle)
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    for post in written {
        assert!(oracle.posts.contains_key(post), "post {post} is lost");
    }
    assert_eq!(
        oracle.posts.len(),
        written.len(),
        "a post was created twice"
    );
    let viewers: Vec<_> = oracle.accounts.keys().copied().take(2).collect();
    let scope = Scope {
        viewers: &viewers,
        limits: &[7, 100],
        days: &[token::now().date_naive()],
        sample: 50,
    };
    let client = stack.client();
    client.wait_for(&log::heads(&stack.pool).await.expect("the heads"));
    every_read(stack, &client, &oracle, &scope)
        .await
        .unwrap_or_else(|error| panic!("{error}"));
}

/// Waits until the stream contains the whole log.
pub async fn wait_for_stream(stack: &Stack, deleted: &[jetstream::Place]) {
    let deleted = deleted.iter().copied().collect();
    let is_equal = async || {
        let checked = jetstream::check(stack.nats_url(), &stack.pool, &deleted).await;
        checked.is_ok()
    };
    let limit = Duration::from_secs(30);
    let after = wait_until_within("the stream equals the log", limit, is_equal).await;
    println!("the stream equals the log after {after:?}");
}

/// The number of a role's connections.
pub async fn connections(stack: &Stack, role: &str) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM pg_stat_activity WHERE usename = $1")
        .bind(role)
        .fetch_one(&stack.pool)
        .await
        .expect("the count of connections")
}
