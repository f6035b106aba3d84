//! Conflicting instances, and a server that drops connections.

use std::time::Duration;

use feedmill_tests::kit::Nats;
use projector::projection::{Context, digest, feed, profiles};

use crate::support::{
    database::Database,
    metric,
    running::Running,
    stream::{create_stream, publish},
    world::World,
};

const TIMEOUT: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_instances_with_the_same_partitions_apply_every_event_once() {
    let (database, nats, mut world) = (Database::new().await, Nats::start().await, World::new(6));
    create_stream(&nats).await;
    let projection = &profiles::DEFINITION;
    let conflicts = metric("projector_cas_conflicts_total", projection.name());
    let one = Running::start(projection, Context::default(), &database, &nats.url()).await;
    let two = Running::start(projection, Context::default(), &database, &nats.url()).await;
    for _ in 0..40 {
        let events = world.happen(50);
        let places = database.append(&events).await;
        publish(&nats, events.iter().zip(places)).await;
    }
    database.caught_up(projection, TIMEOUT).await;
    database.assert_equal(&world, projection).await;
    assert!(metric("projector_cas_conflicts_total", projection.name()) > conflicts);
    one.stop().await;
    // The other one continues alone.
    database.append(&world.happen(50)).await;
    database.caught_up(projection, TIMEOUT).await;
    database.assert_equal(&world, projection).await;
    two.stop().await;
}

#[tokio::test]
async fn lost_connections_do_not_block_partitions() {
    let (database, nats, mut world) = (Database::new().await, Nats::absent(), World::new(7));
    let projection = &feed::DEFINITION;
    let worker = Running::start(projection, Context::default(), &database, &nats.url()).await;
    for _ in 0..10 {
        database.append(&world.happen(200)).await;
        tokio::time::sleep(Duration::from_millis(120)).await;
        sqlx::query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND application_name = 'projector feed'",
        )
        .execute(&database.pool)
        .await
        .unwrap();
    }
    database.caught_up(projection, TIMEOUT).await;
    database.assert_equal(&world, projection).await;
    let blocked: i64 = sqlx::query_scalar("SELECT count(*) FROM projector.blocked")
        .fetch_one(&database.pool)
        .await
        .unwrap();
    assert_eq!(blocked, 0);
    worker.stop().await;
}

#[tokio::test]
async fn a_worker_continues_with_another_live_generation() {
    let (database, nats, mut world) = (Database::new().await, Nats::absent(), World::new(8));
    let projection = &digest::DEFINITION;
    let worker = Running::start(projection, Context::default(), &database, &nats.url()).await;
    database.append(&world.happen(100)).await;
    database.caught_up(projection, TIMEOUT).await;
    // As after a cutover: the next generation has the same checkpoints.
    sqlx::raw_sql(
        "BEGIN;
        INSERT INTO projector.checkpoints (projection, generation, partition, seq)
        SELECT projection, 2, partition, seq FROM projector.checkpoints WHERE projection = 'digest';
        UPDATE projector.projections SET generation = 2 WHERE name = 'digest';
        COMMIT",
    )
    .execute(&database.pool)
    .await
    .unwrap();
    database.append(&world.happen(100)).await;
    database.caught_up(projection, TIMEOUT).await;
    database.assert_equal(&world, projection).await;
    worker.stop().await;
}
