//! An event that cannot be applied stops its partition, and nothing else.

use std::time::Duration;

use feedmill_events::Partition;
use projector::projection::{Context, feed, profiles};
use sqlx::Row as _;

use crate::support::{
    database::Database, metric, model, nats::Nats, running::Running, world::World,
};

const SOON: Duration = Duration::from_secs(20);

/// Noting what blocks is its own small transaction after the ones that applied the rest.
async fn blocked_soon(database: &Database) -> Vec<(i16, i64, String)> {
    for _ in 0..100 {
        let rows = blocked(database).await;
        if !rows.is_empty() {
            return rows;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    vec![]
}

/// Partition, sequence number and error.
async fn blocked(database: &Database) -> Vec<(i16, i64, String)> {
    sqlx::query("SELECT partition, seq, error FROM projector.blocked")
        .fetch_all(&database.admin)
        .await
        .unwrap()
        .into_iter()
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .collect()
}

#[tokio::test]
async fn bytes_that_do_not_decode_stop_one_partition_until_they_are_mended() {
    let (database, nats, mut world) = (Database::new().await, Nats::absent(), World::new(9));
    let projection = &feed::DEFINITION;
    let worker = Running::start(projection, Context::default(), &database, &nats.url).await;
    database.append(&world.happen(100)).await;
    database.caught_up(projection, SOON).await;
    // A good event whose bytes are spoilt in the log, in the middle of others.
    let events = world.happen(300);
    let wanted = |index: &usize| projection.wants(events[*index].event.event_type());
    let spoilt = (150..300).find(wanted).unwrap();
    let mut raw: Vec<_> = events
        .iter()
        .map(|e| {
            (
                e.event.partition(),
                e.event.event_type().name(),
                e.at,
                e.encode().unwrap(),
            )
        })
        .collect();
    let sound = std::mem::replace(&mut raw[spoilt].3, b"spoilt".to_vec());
    let places = database.append_raw(&raw).await;
    let (partition, seq) = places[spoilt];
    let waiting = places
        .iter()
        .filter(|(p, s)| *p == partition && *s >= seq)
        .count();
    database
        .caught_up_but(projection, i64::try_from(waiting).unwrap(), SOON)
        .await;
    let rows = blocked_soon(&database).await;
    assert_eq!(
        (rows.len(), rows[0].0, rows[0].1),
        (1, i16::from(partition), seq),
        "{rows:?}"
    );
    assert!(rows[0].2.contains("does not decode"), "{rows:?}");
    assert!((metric("projector_blocked_partitions", projection.name()) - 1.0).abs() < 0.1);
    assert!(worker.health.is_ready(), "a blocked partition is a note");
    // Others still move while it stands.
    let more = world.happen(100);
    let others = more
        .iter()
        .filter(|e| e.event.partition() != partition)
        .count();
    database.append(&more).await;
    let standing = i64::try_from(waiting + more.len() - others).unwrap();
    database.caught_up_but(projection, standing, SOON).await;
    // A restart changes nothing.
    worker.stop().await;
    let worker = Running::start(projection, Context::default(), &database, &nats.url).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(database.behind(projection).await, standing);
    sqlx::query("UPDATE write.events SET body = $3 WHERE partition = $1 AND seq = $2")
        .bind(i16::from(partition))
        .bind(seq)
        .bind(sound)
        .execute(&database.admin)
        .await
        .unwrap();
    database.caught_up(projection, SOON).await;
    model::assert_equal(&world, projection, &database.pool(projection)).await;
    // Unblocking is its own small transaction after the one that applied the event.
    for _ in 0..100 {
        if blocked(&database).await.is_empty() {
            return worker.stop().await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("still blocked: {:?}", blocked(&database).await);
}

#[tokio::test]
async fn an_event_that_the_tables_refuse_stops_one_partition() {
    let (database, nats, mut world) = (Database::new().await, Nats::absent(), World::new(10));
    let projection = &profiles::DEFINITION;
    // Whoever's handle is this cannot be inserted, for a reason that only PostgreSQL knows.
    sqlx::raw_sql("ALTER TABLE profiles.accounts ADD CHECK (handle <> 'person_4')")
        .execute(&database.admin)
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
    let worker = Running::start(projection, Context::default(), &database, &nats.url).await;
    database
        .caught_up_but(projection, i64::try_from(waiting).unwrap(), SOON)
        .await;
    let rows = blocked_soon(&database).await;
    assert_eq!(
        (rows.len(), rows[0].0, rows[0].1),
        (1, i16::from(partition), seq),
        "{rows:?}"
    );
    sqlx::raw_sql("ALTER TABLE profiles.accounts DROP CONSTRAINT accounts_handle_check")
        .execute(&database.admin)
        .await
        .unwrap();
    database.caught_up(projection, SOON).await;
    model::assert_equal(&world, projection, &database.pool(projection)).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_hole_in_the_log_stops_one_partition() {
    let (database, nats, mut world) = (Database::new().await, Nats::absent(), World::new(11));
    let projection = &feed::DEFINITION;
    let places = database.append(&world.happen(300)).await;
    let (partition, seq) = places[200];
    sqlx::query("DELETE FROM write.events WHERE partition = $1 AND seq = $2")
        .bind(i16::from(partition))
        .bind(seq)
        .execute(&database.admin)
        .await
        .unwrap();
    let waiting = places
        .iter()
        .filter(|(p, s)| *p == partition && *s >= seq)
        .count();
    let worker = Running::start(projection, Context::default(), &database, &nats.url).await;
    database
        .caught_up_but(projection, i64::try_from(waiting).unwrap(), SOON)
        .await;
    for _ in 0..100 {
        if !blocked(&database).await.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let rows = blocked_soon(&database).await;
    assert_eq!(
        (rows[0].0, rows[0].1),
        (i16::from(partition), seq),
        "{rows:?}"
    );
    assert!(Partition::all().count() > rows.len());
    worker.stop().await;
}
