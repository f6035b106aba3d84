//! Late messages, of an attempt at publishing that the relay has given up.

use std::time::Duration;

use feedmill_tests::kit::{Database, Nats};
use sqlx::PgPool;
use tokio::time::sleep;
use write_api::commit_notifier::CommitNotifier;

use super::{Running, append, assert_equal, contents};

/// A sync to disk for each message: some hundred or thousand messages a second.
const SLOW: &str = "jetstream: { sync_interval: always }";

/// Appends to many partitions, a few events at a time, so that the order of publishing depends on timing.
async fn append_all_over(pool: &PgPool, notifier: &CommitNotifier, count: i64) {
    let mut left = count;
    while left > 0 {
        let some = (1 + i64::from(rand::random::<u8>() % 40)).min(left);
        let mut events = append(pool, i16::from(rand::random::<u8>() % 16), some).await;
        // The rest as of another instance: only in the log.
        notifier.add(events.split_off(usize::from(rand::random::<u8>()) % events.len()));
        left -= some;
    }
}

/// JetStream has lost its stream, and the relay fills it again under load.
///
/// The server runs a tenth of the time, as on an overloaded machine, so acknowledgements take longer than the relay waits. It
/// reports the end of the stream while it still accepts messages that the relay has given up, so the relay continues from a
/// place that is not the end.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_server_that_lost_its_stream_gets_it_back_without_a_gap() {
    let (database, mut server) = (
        Database::with_log().await,
        Nats::start_with_config(SLOW).await,
    );
    let pool = database.pool.clone();
    let relay = Running::start(&database, &server).await;
    append_all_over(&pool, &relay.notifier, 6_000).await;
    server.kill();
    server.wipe();
    server.launch().await;
    let writing = append_all_over(&pool, &relay.notifier, 6_000);
    let slowing = async {
        for _ in 0..150 {
            assert!(server.process.signal("STOP"));
            sleep(Duration::from_millis(90)).await;
            assert!(server.process.signal("CONT"));
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
