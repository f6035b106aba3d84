//! What PostgreSQL's deaths leave of the connections to it.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use feedmill_tests::{client::http, harness::World};
use futures::future::{join, join_all};
use reqwest::Method;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::{Writers, nothing_is_lost, read_status, until, world};

/// More requests at once than any service has connections.
const MANY: usize = 40;

const DEATHS: u8 = 6;

/// By role: connections, and those of them that wait for a lock. Without the relay's, which comes and goes by itself.
type Connections = BTreeMap<String, (i64, i64)>;

async fn connections(world: &World) -> Connections {
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(
        "SELECT usename::text, count(*), count(*) FILTER (WHERE wait_event_type = 'Lock')
         FROM pg_stat_activity
         WHERE usename LIKE 'feedmill_%' AND application_name <> 'feedmill-relay' GROUP BY 1",
    )
    .fetch_all(&world.pool)
    .await
    .expect("the connections");
    let by_role = rows
        .into_iter()
        .map(|(role, all, waiting)| (role, (all, waiting)));
    by_role.collect()
}

/// While tables are locked, every connection that a service has gets into somebody's hands: how many are those,
/// of all services of one kind?
async fn at_most(world: &World, token: &str) -> Connections {
    let mut locked = world.pool.begin().await.expect("a transaction");
    sqlx::raw_sql("LOCK TABLE feed.posts, write.partitions IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *locked)
        .await
        .expect("the locks");
    // Each about another post, which nobody has made, so that no two are the same to a service.
    let requests = (0..MANY).map(async |index| {
        let client = world.client_at(index).with_token(token);
        let path = format!("/v1/posts/{}", Uuid::from_u128(rand::random()));
        let read = http().get(format!("{}{path}", client.read));
        let (read, like) = (
            client.signed(read),
            client.request(Method::PUT, &format!("{path}/like")),
        );
        let (read, like) = join(client.try_send(read), client.try_send(like)).await;
        [read, like].map(|answer| answer.map_or(0, |answer| answer.status.as_u16()))
    });
    let mut most = Connections::new();
    let watching = async {
        let end = Instant::now() + Duration::from_millis(1_500);
        while Instant::now() < end {
            for (role, (all, waiting)) in connections(world).await {
                let (most_all, most_waiting) = most.entry(role).or_default();
                *most_all = all.max(*most_all);
                *most_waiting = waiting.max(*most_waiting);
            }
            sleep(Duration::from_millis(50)).await;
        }
        locked.rollback().await.expect("the end of the locks");
    };
    let requests = timeout(Duration::from_secs(20), join_all(requests));
    let (answers, ()) = join(requests, watching).await;
    let answers = answers.expect("answers");
    // Whoever was not served in time is told so.
    let answers = answers.into_iter().flatten();
    let others: Vec<_> = answers
        .filter(|status| ![404, 503].contains(status))
        .collect();
    assert!(others.is_empty(), "{others:?}");
    most
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_postgres_again_and_again_leaks_no_connection() {
    let mut world = world(1).await;
    let writers = Writers::start(&world, 8).await;
    let token = world.signer.token(writers.follower);
    let reader = world.client_of(writers.follower);
    let before = at_most(&world, &token).await;
    for _ in 0..DEATHS {
        // In the middle of whatever they are at.
        let reads = join_all((0..MANY).map(|_| read_status(&reader, "/v1/feed?limit=100")));
        let postgres = world.postgres.as_mut().expect("a server");
        join(reads, async {
            sleep(Duration::from_millis(30)).await;
            postgres.kill();
        })
        .await;
        sleep(Duration::from_millis(500)).await;
        world.postgres.as_mut().expect("a server").again().await;
        let accepted = writers.accepted();
        until("commands again", Duration::from_secs(15), async || {
            writers.accepted() > accepted
        })
        .await;
        until("reads again", Duration::from_secs(15), async || {
            read_status(&reader, "/v1/feed").await == 200
        })
        .await;
    }
    let after = at_most(&world, &token).await;
    println!("connections, and waiting ones, before: {before:?}, after: {after:?}");
    for role in ["feedmill_read", "feedmill_write"] {
        assert_eq!(after[role].1, before[role].1, "usable ones of {role}");
    }
    for (role, (all, _)) in &after {
        let leaked = all - before[role].0;
        assert!(leaked < i64::from(DEATHS), "{leaked} more of {role}");
    }
    let written = writers.stop().await;
    nothing_is_lost(&world, &written).await;
}
