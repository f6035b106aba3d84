//! Events from the stream are applied at once; those that the stream does not deliver are read from the log.

use std::time::{Duration, Instant};

use feedmill_events::{Announcement, Changed, EventKey, mac::KEY_BYTES, subject};
use feedmill_tests::kit::Nats;
use futures::StreamExt as _;
use projector::projection::{Context, conversations, digest, feed, profiles};
use serde_json::json;

use crate::support::{
    database::Database,
    metric,
    program::status,
    running::Running,
    stream::{create_stream, has_consumer, publish, publish_signed},
    world::World,
};

const TIMEOUT: Duration = Duration::from_secs(10);

#[tokio::test]
async fn an_event_is_applied_and_announced_when_it_arrives() {
    let (database, nats, mut world) = (Database::new().await, Nats::start().await, World::new(1));
    let stream = create_stream(&nats).await;
    let projection = &profiles::DEFINITION;
    let client = nats.client().await;
    let announcements = subject::announcements(projection.projection);
    let mut heard = client.subscribe(announcements).await.unwrap();
    client.flush().await.unwrap();
    let worker = Running::start(projection, Context::default(), &database, &nats.url()).await;
    has_consumer(&stream).await;
    let mut waits = vec![];
    for event in world.happen(20) {
        let events = [event];
        let places = database.append(&events).await;
        let start = Instant::now();
        publish(&nats, events.iter().zip(places.iter().copied())).await;
        let message = tokio::time::timeout(TIMEOUT, heard.next())
            .await
            .unwrap()
            .unwrap();
        waits.push(start.elapsed());
        let announced = Announcement::decode(&message.payload).unwrap();
        let reached: Vec<_> = (announced.progress.iter())
            .map(|moved| (moved.partition, moved.to))
            .collect();
        // The announcement may also include earlier irrelevant events.
        assert!(
            places.iter().all(|place| reached.contains(place)),
            "{reached:?}"
        );
        assert_ne!(announced.changed, Changed::All);
    }
    waits.sort();
    println!(
        "published to announced: median {:?}, longest {:?}",
        waits[10], waits[19]
    );
    assert!(
        waits[10] < Duration::from_millis(250),
        "found by polling instead of by the stream: {waits:?}"
    );
    database.caught_up(projection, TIMEOUT).await;
    database.assert_equal(&world, projection).await;
    worker.stop().await;
}

#[tokio::test]
async fn events_that_the_stream_drops_or_repeats_are_applied_once() {
    let (database, nats, mut world) = (Database::new().await, Nats::start().await, World::new(2));
    let stream = create_stream(&nats).await;
    let projection = &conversations::DEFINITION;
    let worker = Running::start(projection, Context::default(), &database, &nats.url()).await;
    has_consumer(&stream).await;
    let (gaps, duplicates) = (
        metric("projector_gap_events_total", projection.name()),
        metric("projector_duplicate_events_total", projection.name()),
    );
    for _ in 0..10 {
        let events = world.happen(100);
        let places = database.append(&events).await;
        let all: Vec<_> = events.iter().zip(places).collect();
        // Most of them and, after the window in which the stream drops duplicates, some of them again.
        let most: Vec<_> = all
            .iter()
            .enumerate()
            .filter(|(i, _)| i % 7 != 3)
            .map(|(_, event)| *event)
            .collect();
        publish(&nats, most.iter().copied()).await;
        tokio::time::sleep(Duration::from_millis(150)).await;
        publish(&nats, most.iter().copied().skip(20).take(30)).await;
    }
    database.caught_up(projection, TIMEOUT).await;
    database.assert_equal(&world, projection).await;
    assert!(metric("projector_gap_events_total", projection.name()) > gaps);
    assert!(metric("projector_duplicate_events_total", projection.name()) > duplicates);
    worker.stop().await;
}

#[tokio::test]
async fn a_last_message_that_is_never_delivered_is_read_from_the_log() {
    let (database, nats, mut world) = (Database::new().await, Nats::start().await, World::new(3));
    let stream = create_stream(&nats).await;
    let projection = &digest::DEFINITION;
    let worker = Running::start(projection, Context::default(), &database, &nats.url()).await;
    has_consumer(&stream).await;
    let events = world.happen(300);
    let places = database.append(&events).await;
    publish(&nats, events.iter().zip(places).take(150)).await;
    database.caught_up(projection, Duration::from_secs(4)).await;
    database.assert_equal(&world, projection).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_wiped_stream_and_foreign_messages_change_nothing() {
    let (database, nats, mut world) = (Database::new().await, Nats::start().await, World::new(4));
    let stream = create_stream(&nats).await;
    let projection = &feed::DEFINITION;
    let worker = Running::start(projection, Context::default(), &database, &nats.url()).await;
    has_consumer(&stream).await;
    let context = async_nats::jetstream::new(nats.client().await);
    for round in 0..3 {
        let events = world.happen(100);
        let places = database.append(&events).await;
        publish(&nats, events.iter().zip(places)).await;
        // A message that the relay did not send.
        context
            .publish("feedmill.events.5", "what is this".into())
            .await
            .unwrap()
            .await
            .unwrap();
        database.caught_up(projection, TIMEOUT).await;
        if round == 0 {
            stream.purge().await.unwrap();
        } else {
            context.delete_stream(subject::STREAM).await.unwrap();
            database.append(&world.happen(50)).await;
            database.caught_up(projection, TIMEOUT).await;
            has_consumer(&create_stream(&nats).await).await;
        }
    }
    database.assert_equal(&world, projection).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_forged_event_is_never_applied() {
    let (database, nats, mut world) = (Database::new().await, Nats::start().await, World::new(6));
    let stream = create_stream(&nats).await;
    let projection = &feed::DEFINITION;
    let worker = Running::start(projection, Context::default(), &database, &nats.url()).await;
    has_consumer(&stream).await;
    let key = EventKey::new(&[8; KEY_BYTES]).unwrap();
    let mut other = World::new(66);
    for _ in 0..3 {
        let (events, forged) = (world.happen(50), other.happen(50));
        let places = database.append(&events).await;
        // In the places of the real events, and before them.
        publish_signed(&key, &nats, forged.iter().zip(places.iter().copied())).await;
        publish(&nats, events.iter().zip(places)).await;
        database.caught_up(projection, TIMEOUT).await;
    }
    assert!(metric("nats_unauthentic_messages_total", "event") >= 150.0);
    database.assert_equal(&world, projection).await;
    worker.stop().await;
}

#[tokio::test]
async fn status_names_partitions_where_the_stream_is_not_the_log() {
    let (database, nats, mut world) = (Database::new().await, Nats::start().await, World::new(7));
    create_stream(&nats).await;
    let events = world.happen(100);
    let places = database.append(&events).await;
    publish(&nats, events.iter().zip(places.iter().copied())).await;
    let relay = async || status(&database, &nats.url()).await["relay"].clone();
    assert_eq!(relay().await["state"], "ok");
    // As if the log had been restored without its last event, and grown to the same length again.
    let (partition, seq) = *places.last().unwrap();
    sqlx::query("UPDATE write.events SET body = '\\x00' WHERE partition = $1 AND seq = $2")
        .bind(i16::from(partition))
        .bind(seq)
        .execute(&database.pool)
        .await
        .unwrap();
    let expected = json!({"state": "forked", "partitions": [i16::from(partition)]});
    assert_eq!(relay().await, expected);
}

#[tokio::test]
async fn projections_continue_without_nats() {
    let (database, mut nats, mut world) = (Database::new().await, Nats::absent(), World::new(5));
    let projection = &feed::DEFINITION;
    database.append(&world.happen(200)).await;
    let worker = Running::start(projection, Context::default(), &database, &nats.url()).await;
    database.caught_up(projection, TIMEOUT).await;
    assert!(worker.health.is_ready());
    database.append(&world.happen(200)).await;
    database.caught_up(projection, Duration::from_secs(2)).await;
    // NATS starts, stops in the middle, and starts again.
    for _ in 0..2 {
        nats.launch().await;
        let stream = create_stream(&nats).await;
        has_consumer(&stream).await;
        let events = world.happen(200);
        let places = database.append(&events).await;
        publish(&nats, events.iter().zip(places).take(100)).await;
        nats.kill();
        database.append(&world.happen(50)).await;
        database.caught_up(projection, TIMEOUT).await;
    }
    database.assert_equal(&world, projection).await;
    worker.stop().await;
}
