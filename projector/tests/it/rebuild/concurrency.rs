//! Commands and reads continue during cutovers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use feedmill_tests::kit::Role;
use projector::{
    projection::{self, feed, profiles},
    rebuild::{self, Outcome, output::Output},
};
use sqlx::{PgPool, Row as _, postgres::PgPoolOptions};
use tokio::{sync::Mutex, task::JoinHandle};

use super::{SMALL_FEEDS, TIMEOUT, lively, stop};
use crate::support::{
    database::Database,
    rebuilding::{generation, rebuild, settings, verify},
    world::World,
};

/// Appends events until it is stopped. Pauses while the world is locked.
pub fn appending(
    database: &Arc<Database>,
    world: &Arc<Mutex<World>>,
    stop_all: &Arc<AtomicBool>,
) -> JoinHandle<()> {
    let (database, world, stop_all) = (database.clone(), world.clone(), stop_all.clone());
    tokio::spawn(async move {
        while !stop_all.load(Ordering::Relaxed) {
            let mut world = world.lock().await;
            database.append(&world.happen(5)).await;
            drop(world);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
}

/// Until it is stopped, reads counts that must agree with other tables of the same generation.
pub async fn reading(
    database: &Database,
    stop_all: &Arc<AtomicBool>,
    reads: &Arc<AtomicU64>,
) -> Vec<JoinHandle<()>> {
    let search_path = "feed,profiles,digest,conversations,notifications,projector";
    let options = database.options_as(Role::ReadApi);
    let reader = PgPoolOptions::new()
        .max_connections(3)
        .connect_with(options.options([("search_path", search_path)]))
        .await
        .unwrap();
    (0..3)
        .map(|_| {
            let (reader, stop_all, reads) = (reader.clone(), stop_all.clone(), reads.clone());
            tokio::spawn(async move {
                while !stop_all.load(Ordering::Relaxed) {
                    assert_consistent(&reader).await;
                    reads.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect()
}

async fn assert_consistent(reader: &PgPool) {
    let row = sqlx::query(
        "SELECT
            (SELECT count(*) FROM posts p WHERE p.like_count
                <> (SELECT count(*) FROM likes l WHERE l.post_id = p.id)) AS likes,
            (SELECT count(*) FROM feed_entries e
                LEFT JOIN feed_floors f USING (viewer)
                LEFT JOIN posts p ON p.id = e.post_id
                WHERE p.id IS NULL AND (f.floor IS NULL OR e.post_id >= f.floor)) AS lost,
            (SELECT count(*) FROM accounts) AS accounts,
            (SELECT count(*) FROM account_counts c WHERE c.followers
                <> (SELECT count(*) FROM follows WHERE followee = c.account)) AS followers",
    )
    .fetch_one(reader)
    .await
    .unwrap();
    assert_eq!(row.get::<i64, _>("likes"), 0);
    assert_eq!(row.get::<i64, _>("lost"), 0);
    assert_eq!(row.get::<i64, _>("followers"), 0);
    assert!(row.get::<i64, _>("accounts") >= 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_and_commands_continue_during_cutovers() {
    let (database, _nats, world, workers) = lively(33, 400).await;
    let (database, world) = (Arc::new(database), Arc::new(Mutex::new(world)));
    let stop_all = Arc::new(AtomicBool::new(false));
    let appending = appending(&database, &world, &stop_all);
    let reads = Arc::new(AtomicU64::new(0));
    let reading = reading(&database, &stop_all, &reads).await;
    for round in 0..4 {
        for projection in [&feed::DEFINITION, &profiles::DEFINITION] {
            let ended = rebuild(&database, projection, &SMALL_FEEDS, false)
                .await
                .unwrap();
            assert_eq!(ended, Outcome::Done, "{}", projection.name());
            assert_eq!(generation(&database, projection).await, 2 + 2 * round);
            let mut output = Output::new(true);
            let ended =
                rebuild::rollback(projection, &settings(&database, &SMALL_FEEDS), &mut output)
                    .await;
            assert_eq!(ended.unwrap(), Outcome::Done);
        }
    }
    stop_all.store(true, Ordering::Relaxed);
    appending.await.unwrap();
    for reader in reading {
        reader.await.unwrap();
    }
    println!("{} reads", reads.load(Ordering::Relaxed));
    assert!(reads.load(Ordering::Relaxed) > 20);
    let world = world.lock().await;
    for projection in projection::ALL {
        database.caught_up(projection, TIMEOUT).await;
        database.assert_equal(&world, projection).await;
        assert_eq!(
            verify(&database, projection, &SMALL_FEEDS).await.unwrap(),
            Outcome::Done
        );
    }
    stop(workers).await;
}
