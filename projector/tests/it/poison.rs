//! An event that cannot be applied blocks its partition, and nothing else.

use std::time::Duration;

use feedmill_events::Partition;
use feedmill_tests::{
    kit::{Nats, wait_until},
    log::Raw,
};
use projector::projection::{Context, feed, profiles};
use sqlx::Row as _;

use crate::support::{database::Database, metric, running::Running, world::World};

const TIMEOUT: Duration = Duration::from_secs(20);

/// A blocked partition is recorded in a transaction after those that applied the other events.
async fn wait_for_blocked(database: &Database) -> Vec<(i16, i64, String)> {
    let is_blocked = async || !blocked(database).await.is_empty();
    wait_until("a partition is blocked", is_blocked).await;
    blocked(database).await
}

/// Partition, sequence number and error.
async fn blocked(database: &Database) -> Vec<(i16, i64, String)> {
    sqlx::query("SELECT partition, seq, error FROM projector.blocked")
        .fetch_all(&database.pool)
        .await
        .unwrap()
        .into_iter()
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .collect()
}

#[tokio::test]
async fn an_event_that_does_not_decode_blocks_one_partition_until_it_is_repaired() {
    let (database, nats, mut world) = (Database::new().await, Nats::absent(), World::new(9));
    let projection = &feed::DEFINITION;
    let worker = Running::start(projection, Context::default(), &database, &nats.url()).await;
    database.append(&world.happen(100)).await;
    database.caught_up(projection, TIMEOUT).await;
    // A valid event whose bytes are damaged in the log, among others.
    let events = world.happen(300);
    let wanted = |index: &usize| {
        projection
            .event_types
            .contains(&events[*index].event.event_type())
    };
    let spoilt = (150..300).find(wanted).unwrap();
    let mut raw: Vec<_> = events.iter().map(Raw::from).collect();
    let sound = std::mem::replace(&mut raw[spoilt].body, b"spoilt".to_vec());
    let places = database.append_raw(&raw).await;
    let (partition, seq) = places[spoilt];
    let waiting = places
        .iter()
        .filter(|(p, s)| *p == partition && *s >= seq)
        .count();
    database
        .caught_up_but(projection, i64::try_from(waiting).unwrap(), TIMEOUT)
        .await;
    let rows = wait_for_blocked(&database).await;
    assert_eq!(
        (rows.len(), rows[0].0, rows[0].1),
        (1, i16::from(partition), seq),
        "{rows:?}"
    );
    assert!(rows[0].2.contains("does not decode"), "{rows:?}");
    assert!((metric("projector_blocked_partitions", projection.name()) - 1.0).abs() < 0.1);
    assert!(
        worker.health.is_ready(),
        "a blocked partition does not make the projection unready"
    );
    // The other partitions are not blocked.
    let more = world.happen(100);
    let others = more
        .iter()
        .filter(|e| e.event.partition() != partition)
        .count();
    database.append(&more).await;
    let standing = i64::try_from(waiting + more.len() - others).unwrap();
    database.caught_up_but(projection, standing, TIMEOUT).await;
    // A restart does not unblock it.
    worker.stop().await;
    let worker = Running::start(projection, Context::default(), &database, &nats.url()).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(database.behind(projection).await, standing);
    sqlx::query("UPDATE write.events SET body = $3 WHERE partition = $1 AND seq = $2")
        .bind(i16::from(partition))
        .bind(seq)
        .bind(sound)
        .execute(&database.pool)
        .await
        .unwrap();
    database.caught_up(projection, TIMEOUT).await;
    database.assert_equal(&world, projection).await;
    // The record is deleted in a transaction after the one that applied the event.
    let is_unblocked = async || blocked(&database).await.is_empty();
    wait_until("no partition is blocked", is_unblocked).await;
    worker.stop().await;
}

#[tokio::test]
async fn an_event_that_violates_a_constraint_blocks_one_partition() {
    let (database, nats, mut world) = (Database::new().await, Nats::absent(), World::new(10));
    let projection = &profiles::DEFINITION;
    // An account with this handle cannot be inserted, for a reason that only PostgreSQL knows.
    sqlx::raw_sql("ALTER TABLE profiles.accounts ADD CHECK (handle <> 'person_4')")
        .execute(&database.pool)
        .await
        .unwrap();
    let events = world.happen(600);
    let refused = events
        .iter()
        .position(|e| format!("{:?}", e.event).contains("person_4"))
        .unwrap();
    let places = database.append(&events).await;
    let (partition, seq) = places[refused];
    let waiting = places
        .iter()
        .filter(|(p, s)| *p == partition && *s >= seq)
        .count();
    let worker = Running::start(projection, Context::default(), &database, &nats.url()).await;
    database
        .caught_up_but(projection, i64::try_from(waiting).unwrap(), TIMEOUT)
        .await;
    let rows = wait_for_blocked(&database).await;
    assert_eq!(
        (rows.len(), rows[0].0, rows[0].1),
        (1, i16::from(partition), seq),
        "{rows:?}"
    );
    sqlx::raw_sql("ALTER TABLE profiles.accounts DROP CONSTRAINT accounts_handle_check")
        .execute(&database.pool)
        .await
        .unwrap();
    database.caught_up(projection, TIMEOUT).await;
    database.assert_equal(&world, projection).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_missing_event_in_the_log_blocks_one_partition() {
    let (database, nats, mut world) = (Database::new().await, Nats::absent(), World::new(11));
    let projection = &feed::DEFINITION;
    let places = database.append(&world.happen(300)).await;
    let (partition, seq) = places[200];
    sqlx::query("DELETE FROM write.events WHERE partition = $1 AND seq = $2")
        .bind(i16::from(partition))
        .bind(seq)
        .execute(&database.pool)
        .await
        .unwrap();
    let waiting = places
        .iter()
        .filter(|(p, s)| *p == partition && *s >= seq)
        .count();
    let worker = Running::start(projection, Context::default(), &database, &nats.url()).await;
    database
        .caught_up_but(projection, i64::try_from(waiting).unwrap(), TIMEOUT)
        .await;
    let rows = wait_for_blocked(&database).await;
    assert_eq!(
        (rows[0].0, rows[0].1),
        (i16::from(partition), seq),
        "{rows:?}"
    );
    assert!(Partition::all().count() > rows.len());
    worker.stop().await;
}
