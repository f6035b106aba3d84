//! A stream that has what the log does not have.

use std::time::Duration;

use async_nats::{
    HeaderMap,
    jetstream::{self, stream},
};
use feedmill_events::{
    Partition,
    subject::{self, MessageId, Signature},
};
use feedmill_tests::kit::{Database, Nats, wait_until_within};
use sqlx::PgPool;

use super::{Running, SOON, append, append_body, assert_equal, messages, stored};

/// As after restoring a backup that was made when the partition had so many events, and `finish-restore`.
async fn restore(pool: &PgPool, partition: i16, head: i64) {
    go_back(pool, partition, head).await;
    sqlx::query("INSERT INTO write.incarnations (began_at) VALUES (clock_timestamp())")
        .execute(pool)
        .await
        .unwrap();
}

async fn go_back(pool: &PgPool, partition: i16, head: i64) {
    sqlx::query("DELETE FROM write.events WHERE partition = $1 AND seq > $2")
        .bind(partition)
        .bind(head)
        .execute(pool)
        .await
        .unwrap();
    sqlx::query("UPDATE write.partitions SET head = $2 WHERE id = $1")
        .bind(partition)
        .bind(head)
        .execute(pool)
        .await
        .unwrap();
}

/// A stream with 300 events of partition 1 and 10 of partition 2, and no relay.
async fn published() -> (Database, Nats) {
    let (database, server) = (Database::with_log().await, Nats::start().await);
    append(&database.pool, 1, 300).await;
    append(&database.pool, 2, 10).await;
    let relay = Running::start(&database, &server).await;
    assert_equal(&database.pool, &server, SOON).await;
    relay.stop().await;
    (database, server)
}

/// The stream has the whole log again, with the log's bodies.
async fn assert_repaired(database: &Database, server: &Nats) {
    let relay = Running::start(database, server).await;
    let pool = &database.pool;
    let logged: Vec<(i16, i64, Vec<u8>)> =
        sqlx::query_as("SELECT partition, seq, body FROM write.events ORDER BY 1, 2")
            .fetch_all(pool)
            .await
            .unwrap();
    wait_until_within("the stream has the log's events", SOON, async || {
        if stored(server).await != logged.len() as u64 {
            return false;
        }
        let mut found: Vec<_> = (messages(server).await.into_iter())
            .map(|(partition, seq, body)| (i16::from(partition), seq, body))
            .collect();
        found.sort();
        found == logged
    })
    .await;
    assert_equal(pool, server, SOON).await;
    // And it goes on.
    append(pool, 1, 3).await;
    append(pool, 2, 3).await;
    assert_equal(pool, server, SOON).await;
    relay.stop().await;
}

#[tokio::test]
async fn a_stream_ahead_of_the_log_is_truncated() {
    let (database, server) = published().await;
    restore(&database.pool, 1, 290).await;
    assert_repaired(&database, &server).await;
}

#[tokio::test]
async fn what_an_operator_has_not_seen_stays_in_the_stream() {
    let (database, server) = published().await;
    go_back(&database.pool, 1, 290).await;
    let relay = Running::start(&database, &server).await;
    append(&database.pool, 2, 3).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(stored(&server).await, 310);
    relay.stop().await;
    restore(&database.pool, 1, 290).await;
    assert_repaired(&database, &server).await;
}

#[tokio::test]
async fn a_fork_that_the_log_has_grown_past_is_truncated_and_refilled() {
    let (database, server) = published().await;
    restore(&database.pool, 1, 290).await;
    append_body(&database.pool, 1, 20, 1).await;
    restore(&database.pool, 2, 0).await;
    append_body(&database.pool, 2, 10, 1).await;
    assert_repaired(&database, &server).await;
}

#[tokio::test]
async fn a_long_fork_is_replaced_with_its_whole_partition() {
    let (database, server) = published().await;
    restore(&database.pool, 1, 50).await;
    append_body(&database.pool, 1, 300, 1).await;
    assert_repaired(&database, &server).await;
}

#[tokio::test]
async fn a_partition_that_the_stream_has_lost_is_filled_again() {
    let (database, server) = published().await;
    let stream = jetstream::new(server.client().await);
    let stream = stream.get_stream(subject::STREAM).await.unwrap();
    let lost = Partition::try_from(2u8).unwrap();
    stream.purge().filter(subject::events(lost)).await.unwrap();
    assert_repaired(&database, &server).await;
}

#[tokio::test]
async fn a_forged_message_does_not_hide_the_event_in_its_place() {
    let (database, server) = (Database::with_log().await, Nats::start().await);
    let pool = &database.pool;
    let relay = Running::start(&database, &server).await;
    append(pool, 1, 10).await;
    assert_equal(pool, &server, SOON).await;
    let jetstream = jetstream::new(server.client().await);
    let partition = Partition::try_from(1u8).unwrap();
    let forged = Signature {
        code: "AAAAAAAAAAAAAAAAAAAAAA",
        opened: 0,
    };
    for signature in [None, Some(forged)] {
        for seq in [11, 12, 2_000] {
            let id = MessageId {
                partition,
                seq,
                signature,
            };
            let mut headers = HeaderMap::new();
            headers.insert(subject::MESSAGE_ID, id.to_string());
            headers.insert(subject::EVENT_TYPE, "post.created");
            let subject = subject::events(partition);
            let published = jetstream.publish_with_headers(subject, headers, "forged".into());
            published.await.unwrap().await.unwrap();
        }
        // Also while nothing is appended.
        wait_until_within("the forged messages are gone", SOON, async || {
            stored(&server).await as i64 == super::head(pool).await
        })
        .await;
        append(pool, 1, 10).await;
        assert_equal(pool, &server, SOON).await;
    }
    relay.stop().await;
}

/// As the version before signed messages filled it, and as that one created the stream.
#[tokio::test]
async fn messages_without_a_code_stay() {
    let (database, server) = (Database::with_log().await, Nats::start().await);
    append(&database.pool, 1, 20).await;
    let jetstream = jetstream::new(server.client().await);
    let config = stream::Config {
        name: subject::STREAM.to_owned(),
        subjects: vec![subject::ALL_EVENTS.to_owned()],
        ..stream::Config::default()
    };
    let mut stream = jetstream.create_stream(config).await.unwrap();
    let partition = Partition::try_from(1u8).unwrap();
    for seq in 1..=20 {
        let mut headers = HeaderMap::new();
        headers.insert(subject::MESSAGE_ID, format!("1:{seq}"));
        headers.insert(subject::EVENT_TYPE, "post.created");
        let subject = subject::events(partition);
        let published = jetstream.publish_with_headers(subject, headers, vec![0].into());
        published.await.unwrap().await.unwrap();
    }
    let relay = Running::start(&database, &server).await;
    append(&database.pool, 1, 5).await;
    wait_until_within("new events follow", SOON, async || {
        stored(&server).await == 25
    })
    .await;
    relay.stop().await;
    let info = stream.info().await.unwrap();
    assert_eq!(
        (info.state.first_sequence, info.state.last_sequence),
        (1, 25)
    );
    assert!(info.config.metadata.contains_key(subject::OWNER));
}

#[tokio::test]
async fn the_stream_of_another_installation_is_left_alone() {
    let (database, server) = published().await;
    let others = Database::with_log().await;
    sqlx::query("UPDATE write.secrets SET event_key = sha256('another')")
        .execute(&others.pool)
        .await
        .unwrap();
    append(&others.pool, 1, 5).await;
    let relay = Running::start(&others, &server).await;
    wait_until_within("the reason", SOON, async || {
        relay.reason().await.contains("another installation")
    })
    .await;
    relay.stop().await;
    assert_equal(&database.pool, &server, SOON).await;
}
