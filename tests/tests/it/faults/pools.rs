//! Connections to PostgreSQL after it was killed repeatedly.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use feedmill_tests::{
    client::http,
    kit::{Stack, wait_until_within},
};
use futures::future::{join, join_all};
use reqwest::Method;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::{
    support::{assert_nothing_lost, read_status, start},
    writers::Writers,
};

/// Concurrent requests: more than any service has connections.
const REQUESTS: usize = 40;

const KILLS: u8 = 6;

/// A role's connections.
#[derive(Debug, Default, Clone, Copy)]
struct Connections {
    all: i64,
    waiting_for_lock: i64,
}

/// By role, without the relay's connection, which is not in a pool.
type ByRole = BTreeMap<String, Connections>;

async fn connections(stack: &Stack) -> ByRole {
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(
        "SELECT usename::text, count(*), count(*) FILTER (WHERE wait_event_type = 'Lock')
         FROM pg_stat_activity
         WHERE usename LIKE 'feedmill_%' AND application_name <> 'feedmill-relay' GROUP BY 1",
    )
    .fetch_all(&stack.pool)
    .await
    .expect("the connections");
    let by_role = rows.into_iter().map(|(role, all, waiting_for_lock)| {
        let connections = Connections {
            all,
            waiting_for_lock,
        };
        (role, connections)
    });
    by_role.collect()
}

/// The greatest number of connections while tables are locked, so that requests use every connection of the pools.
async fn max_connections(stack: &Stack, token: &str) -> ByRole {
    let mut locked = stack.pool.begin().await.expect("a transaction");
    sqlx::raw_sql("LOCK TABLE feed.posts, write.partitions IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *locked)
        .await
        .expect("the locks");
    // Each is about another post, which does not exist, so that no two share a load. The likes are of other accounts, so that no two
    // wait for each other.
    let requests = (0..REQUESTS).map(async |index| {
        let client = stack.client_at(index).with_token(token);
        let path = format!("/v1/posts/{}", Uuid::from_u128(rand::random()));
        let read = http().get(format!("{}{path}", client.read));
        let nobody = stack.signer.token(Uuid::from_u128(rand::random()));
        let (read, like) = (
            client.signed(read),
            client
                .with_token(&nobody)
                .request(Method::PUT, &format!("{path}/like")),
        );
        let (read, like) = join(client.try_send(read), client.try_send(like)).await;
        [read, like].map(|answer| answer.map_or(0, |answer| answer.status.as_u16()))
    });
    let mut most = ByRole::new();
    let watching = async {
        let end = Instant::now() + Duration::from_millis(1_500);
        while Instant::now() < end {
            for (role, now) in connections(stack).await {
                let most = most.entry(role).or_default();
                most.all = now.all.max(most.all);
                most.waiting_for_lock = now.waiting_for_lock.max(most.waiting_for_lock);
            }
            sleep(Duration::from_millis(50)).await;
        }
        locked.rollback().await.expect("the end of the locks");
    };
    let requests = timeout(Duration::from_secs(20), join_all(requests));
    let (answers, ()) = join(requests, watching).await;
    let answers = answers.expect("answers");
    // 404, 401 for an account that does not exist, or 503 after the request timeout.
    let answers = answers.into_iter().flatten();
    let others: Vec<_> = answers
        .filter(|status| ![401, 404, 503].contains(status))
        .collect();
    assert!(others.is_empty(), "{others:?}");
    most
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_kills_of_postgres_leak_no_connection() {
    let mut stack = start(1).await;
    let writers = Writers::start(&stack, 8).await;
    let token = stack.signer.token(writers.follower);
    let reader = stack.client_of(writers.follower);
    let before = max_connections(&stack, &token).await;
    for _ in 0..KILLS {
        // During the reads.
        let reads = join_all((0..REQUESTS).map(|_| read_status(&reader, "/v1/feed?limit=100")));
        let postgres = stack.postgres();
        join(reads, async {
            sleep(Duration::from_millis(30)).await;
            postgres.kill();
        })
        .await;
        sleep(Duration::from_millis(500)).await;
        stack.postgres().launch().await;
        let accepted = writers.accepted();
        wait_until_within("commands again", Duration::from_secs(15), async || {
            writers.accepted() > accepted
        })
        .await;
        wait_until_within("reads again", Duration::from_secs(15), async || {
            read_status(&reader, "/v1/feed").await == 200
        })
        .await;
    }
    let after = max_connections(&stack, &token).await;
    println!("connections before: {before:?}, after: {after:?}");
    for role in ["feedmill_read", "feedmill_write"] {
        assert_eq!(
            after[role].waiting_for_lock, before[role].waiting_for_lock,
            "usable connections of {role}"
        );
    }
    for (role, connections) in &after {
        let leaked = connections.all - before[role].all;
        assert!(
            leaked < i64::from(KILLS),
            "{leaked} more connections of {role}"
        );
    }
    let written = writers.stop().await;
    assert_nothing_lost(&stack, &written).await;
}
