//! Changes of the stream by an operator.

use std::time::Duration;

use async_nats::jetstream::{self, stream};
use feedmill_events::{
    Partition,
    subject::{self, MessageId},
};
use feedmill_tests::kit::{Database, Nats, wait_until_within};

use super::{Running, SOON, append, assert_equal, contents};

#[tokio::test]
async fn a_deleted_stream_is_filled_again() {
    let (database, server) = (Database::with_log().await, Nats::start().await);
    let pool = database.pool.clone();
    let relay = Running::start(&database, &server).await;
    append(&pool, 3, 500).await;
    append(&pool, 4, 500).await;
    assert_equal(&pool, &server, SOON).await;
    jetstream::new(server.client().await)
        .delete_stream(subject::STREAM)
        .await
        .unwrap();
    // The relay notices even if nothing is appended.
    assert_equal(&pool, &server, SOON).await;
    append(&pool, 3, 5).await;
    assert_equal(&pool, &server, SOON).await;
    relay.stop().await;
}

/// The last event of a partition in the stream.
async fn last(server: &Nats, partition: u8) -> Option<i64> {
    let subject = subject::events(Partition::try_from(partition).unwrap());
    let stream = jetstream::new(server.client().await)
        .get_stream(subject::STREAM)
        .await
        .unwrap();
    let message = stream
        .get_last_raw_message_by_subject(&subject)
        .await
        .ok()?;
    MessageId::parse(message.headers.get(subject::MESSAGE_ID)?.as_str()).map(|id| id.seq)
}

/// A stream that an operator limited to 50 messages. The relay published 30 events of partition 1, which have expired, and 100
/// of partition 2. Then, without a relay, 5 more of partition 2 and the first 3 of partition 7 were appended; and a new relay
/// has started.
async fn limited(duplicate_window: Duration) -> (Database, Nats, Running) {
    let (database, server) = (Database::with_log().await, Nats::start().await);
    let pool = database.pool.clone();
    let limited = stream::Config {
        name: subject::STREAM.to_owned(),
        subjects: vec![subject::ALL_EVENTS.to_owned()],
        max_messages: 50,
        duplicate_window,
        ..Default::default()
    };
    jetstream::new(server.client().await)
        .create_stream(limited)
        .await
        .unwrap();
    let relay = Running::start(&database, &server).await;
    append(&pool, 1, 30).await;
    wait_until_within("partition 1 is there", SOON, async || {
        last(&server, 1).await == Some(30)
    })
    .await;
    append(&pool, 2, 100).await;
    wait_until_within("partition 2 is there", SOON, async || {
        last(&server, 2).await == Some(100)
    })
    .await;
    assert_eq!(last(&server, 1).await, None);
    relay.stop().await;
    append(&pool, 2, 5).await;
    append(&pool, 7, 3).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let relay = Running::start(&database, &server).await;
    wait_until_within("partition 2 goes on", SOON, async || {
        last(&server, 2).await == Some(105)
    })
    .await;
    wait_until_within("partition 7 shows its head", SOON, async || {
        last(&server, 7).await == Some(3)
    })
    .await;
    (database, server, relay)
}

async fn limited_stream(server: &Nats) -> stream::Info {
    let stream = jetstream::new(server.client().await)
        .get_stream(subject::STREAM)
        .await
        .unwrap();
    stream.cached_info().clone()
}

#[tokio::test]
async fn a_limited_stream_keeps_its_limit_and_shows_the_heads_of_the_log() {
    // The stream does not show whether partition 1 was published. Its last event is published again: a reader that misses
    // events notices the gap, and one that has it skips it. Earlier events are not published again.
    let (_database, server, relay) = limited(Duration::from_millis(200)).await;
    wait_until_within("partition 1 shows its head", SOON, async || {
        last(&server, 1).await == Some(30)
    })
    .await;
    let info = limited_stream(&server).await;
    assert_eq!(info.config.max_messages, 50);
    assert_eq!(info.state.last_sequence, 30 + 100 + 5 + 1 + 1);
    relay.stop().await;
}

#[tokio::test]
async fn what_was_just_published_is_published_again_once_it_has_expired() {
    let (database, server, relay) = limited(Duration::from_mins(2)).await;
    wait_until_within("partition 1 shows its head", SOON, async || {
        last(&server, 1).await == Some(30)
    })
    .await;
    append(&database.pool, 1, 2).await;
    wait_until_within("partition 1 goes on", SOON, async || {
        last(&server, 1).await == Some(32)
    })
    .await;
    assert_eq!(
        limited_stream(&server).await.state.last_sequence,
        30 + 100 + 5 + 1 + 1 + 2
    );
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deleted_last_message_of_a_partition_is_published_again_before_the_next_one() {
    let (database, server) = (Database::with_log().await, Nats::start().await);
    let pool = database.pool.clone();
    let relay = Running::start(&database, &server).await;
    for partition in [1, 2] {
        relay.notifier.add(append(&pool, partition, 3).await);
    }
    let has = async |count: usize| {
        let found = contents(&server).await;
        found.values().map(Vec::len).sum::<usize>() == count
    };
    wait_until_within("all is there", SOON, async || has(6).await).await;
    let stream = jetstream::new(server.client().await)
        .get_stream(subject::STREAM)
        .await
        .unwrap();
    let partition = Partition::try_from(1i16).unwrap();
    let last = stream
        .get_last_raw_message_by_subject(&subject::events(partition))
        .await
        .unwrap();
    stream.delete_message(last.sequence).await.unwrap();
    relay.notifier.add(append(&pool, 1, 2).await);
    wait_until_within("what follows is there", SOON, async || has(8).await).await;
    assert_eq!(contents(&server).await[&partition], [1, 2, 3, 4, 5]);
    relay.stop().await;
}
