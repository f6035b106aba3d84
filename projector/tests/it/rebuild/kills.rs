//! `projector rebuild`, killed at random moments while commands and reads continue.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use projector::projection;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use tokio::{sync::Mutex, time::sleep};

use super::{
    TIMEOUT,
    concurrency::{appending, reading},
    lively, stop,
};
use crate::support::{
    program::{self, run},
    rebuilding::{generation, shadow_schemas},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_killed_at_any_moment_leaves_the_live_model_intact_and_the_next_one_succeeds() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let (database, nats, world, workers) = lively(seed, 600).await;
    let (database, world) = (Arc::new(database), Arc::new(Mutex::new(world)));
    let (stop_all, reads) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let writer = appending(&database, &world, &stop_all);
    let readers = reading(&database, &stop_all, &reads).await;

    let start = Instant::now();
    let ended = run(&database, &nats.url(), &["rebuild", "--all"]).await;
    assert_eq!(ended.code, 0, "{}", ended.text);
    let longest = start.elapsed();
    println!("a rebuild that is not killed takes {longest:?}");
    let mut generations = vec![2; projection::ALL.len()];
    let mut killed = 0;
    while killed < 10 {
        let wait = rng.gen_range(Duration::ZERO..longest);
        let mut process = program::start(&database, &nats.url(), &["rebuild", "--all"]);
        sleep(wait).await;
        let is_running = process.ended().is_none();
        process.kill();
        killed += u32::from(is_running);
        println!(
            "{} after {wait:?}",
            if is_running { "killed" } else { "at its end" }
        );
        // While the world is locked, nothing is appended.
        let world = world.lock().await;
        for (projection, before) in projection::ALL.into_iter().zip(&mut generations) {
            let live = generation(&database, projection).await;
            assert!(
                [*before, *before + 1].contains(&live),
                "{live} after {before}"
            );
            *before = live;
            database.caught_up(projection, TIMEOUT).await;
            database.assert_equal(&world, projection).await;
        }
    }
    let ended = run(&database, &nats.url(), &["rebuild", "--all"]).await;
    assert_eq!(ended.code, 0, "{}", ended.text);
    stop_all.store(true, Ordering::Relaxed);
    writer.await.unwrap();
    for reader in readers {
        reader.await.unwrap();
    }
    println!("{} reads", reads.load(Ordering::Relaxed));
    assert!(reads.load(Ordering::Relaxed) > 20);

    let world = world.lock().await;
    for (projection, before) in projection::ALL.into_iter().zip(generations) {
        assert_eq!(generation(&database, projection).await, before + 1);
        database.caught_up(projection, TIMEOUT).await;
        database.assert_equal(&world, projection).await;
    }
    let ended = run(&database, &nats.url(), &["verify", "--all"]).await;
    assert_eq!(ended.code, 0, "{}", ended.text);
    let beside = shadow_schemas(&database).await;
    assert!(
        beside.iter().all(|schema| schema.ends_with("_previous")),
        "{beside:?}"
    );
    stop(workers).await;
}
