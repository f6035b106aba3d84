//! Messages that come late: published by a stretch of the relay's work that has been given up meanwhile.

use std::time::Duration;

use sqlx::PgPool;
use tokio::time::sleep;
use write_api::appended::Appended;

use super::{Running, append, assert_equal, contents, signal};
use crate::harness::{Database, Nats};

/// Each event is on the disk before the next is taken: some hundred or thousand a second.
const SLOW: &str = "jetstream: { sync_interval: always }";

/// Appends to many partitions, of each a few at a time, so that what is published first depends on when one looks.
async fn append_all_over(pool: &PgPool, appended: &Appended, count: i64) {
    let mut left = count;
    while left > 0 {
        let some = (1 + i64::from(rand::random::<u8>() % 40)).min(left);
        let mut events = append(pool, i16::from(rand::random::<u8>() % 16), some).await;
        // Some of them as a lane of another instance does, whose events only the log has.
        appended.add(events.split_off(usize::from(rand::random::<u8>()) % events.len()));
        left -= some;
    }
}

/// JetStream has lost all it had, and is filled again by what goes on meanwhile.
///
/// A server with a tenth of its time, as on a machine that has too much to do, needs longer for what is under way
/// than the relay waits. It answers where the stream ends while it still takes what the relay has given up, and the
/// relay goes on from a place that is not the end.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_server_that_lost_its_stream_has_it_again_without_a_hole() {
    let (database, mut server) = (Database::new().await, Nats::start_with(SLOW).await);
    let pool = database.pool().await;
    let relay = Running::start(&database, &server).await;
    append_all_over(&pool, &relay.appended, 6_000).await;
    server.kill();
    server.wipe();
    server.start_again().await;
    let writing = append_all_over(&pool, &relay.appended, 6_000);
    let slowing = async {
        for _ in 0..150 {
            signal(server.process(), "-STOP");
            sleep(Duration::from_millis(90)).await;
            signal(server.process(), "-CONT");
            sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::join!(writing, slowing);
    for (partition, events) in contents(&server).await {
        let hole = events
            .iter()
            .zip(1..)
            .find(|(event, place)| *event != place);
        assert_eq!(hole, None, "of partition {partition}");
    }
    assert_equal(&pool, &server, Duration::from_mins(1)).await;
    relay.stop().await;
}
