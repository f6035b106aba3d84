//! The settings of a rebuild: how much it yields to the live and whether it applies skipped events.

use std::{collections::BTreeSet, time::Duration};

use feedmill_events::Partition;
use feedmill_tests::{kit::Nats, log::Raw};
use projector::{
    instance::Assignment,
    projection::{conversations, profiles},
};
use tokio::{sync::watch, time::sleep};

use super::TIMEOUT;
use crate::support::{
    database::Database,
    program::{self, operate, run},
    rebuilding::generation,
    running::Running,
    world::{World, decisive_read},
};

/// In one snapshot: the lag of the live generation, and the number of events applied to the next one. None before the
/// rebuild has begun.
async fn lag_and_progress(database: &Database) -> (i64, Option<i64>) {
    sqlx::query_as(
        "SELECT (SELECT sum(head)::bigint FROM write.partitions)
                - (SELECT sum(seq)::bigint FROM projector.checkpoints WHERE projection = 'profiles' AND generation = 1),
            (SELECT sum(seq)::bigint FROM projector.checkpoints WHERE projection = 'profiles' AND generation = 2)",
    )
    .fetch_one(&database.pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn a_rebuild_waits_while_the_live_model_is_too_far_behind() {
    const MAX_LAG: i64 = 120;
    let (database, nats, mut world) = (Database::new().await, Nats::absent(), World::new(61));
    let projection = &profiles::DEFINITION;
    let assignment = watch::Sender::new(Assignment::all());
    let worker =
        Running::with_assignment(projection, assignment.subscribe(), &database, &nats.url()).await;
    database.append(&world.happen(600)).await;
    database.caught_up(projection, TIMEOUT).await;
    // From now on the live model moves one partition after the other, each before the rebuild would stop waiting for a
    // model that does not move.
    let none = BTreeSet::new();
    assignment.send_replace(Assignment {
        owned: none.clone(),
        paused: none,
    });
    sleep(Duration::from_millis(500)).await;
    let events = world.happen(600);
    let behind: BTreeSet<Partition> = events.iter().map(|e| e.event.partition()).collect();
    database.append(&events).await;
    let rebuilding = async {
        let most = MAX_LAG.to_string();
        let args = ["rebuild", "profiles", "--max-live-lag", &most];
        run(&database, &nats.url(), &args).await
    };
    let moving = async {
        let mut moved = BTreeSet::new();
        for partition in &behind {
            sleep(Duration::from_millis(700)).await;
            moved.insert(*partition);
            let (owned, paused) = (moved.clone(), BTreeSet::new());
            assignment.send_replace(Assignment { owned, paused });
        }
    };
    let mut waited = 0;
    let watching = async {
        loop {
            let (lag, progress) = lag_and_progress(&database).await;
            if progress.is_some_and(|events| events > 0) {
                break lag;
            }
            waited += u32::from(progress.is_some() && lag > MAX_LAG);
            sleep(Duration::from_millis(20)).await;
        }
    };
    let (ended, lag, ()) = tokio::join!(rebuilding, watching, moving);
    assert_eq!(ended.code, 0, "{}", ended.text);
    assert!(
        lag <= MAX_LAG,
        "it replayed with the live model {lag} events behind"
    );
    assert!(waited > 50, "it was seen waiting only {waited} times");
    assert!(
        ended.text.contains("waiting: the live model is"),
        "{}",
        ended.text
    );
    assert_eq!(generation(&database, projection).await, 2);
    database.caught_up(projection, TIMEOUT).await;
    database.assert_equal(&world, projection).await;
    worker.stop().await;
}

#[tokio::test]
async fn skipped_events_stay_out_of_a_rebuild_unless_requested() {
    let (database, nats, mut world) = (Database::new().await, Nats::absent(), World::new(44));
    let projection = &conversations::DEFINITION;
    let process = program::start(&database, &nats.url(), &[]);
    let events = world.happen(400);
    // The event is damaged for a while.
    let spoilt = decisive_read(&events);
    let mut raw: Vec<_> = events.iter().map(Raw::from).collect();
    let sound = std::mem::replace(&mut raw[spoilt].body, b"spoilt".to_vec());
    let (partition, seq) = database.append_raw(&raw).await[spoilt];
    let (number, seq_text) = (partition.to_string(), seq.to_string());
    let skip = [
        "skip",
        "conversations",
        &number,
        &seq_text,
        "--reason",
        "spoilt",
    ];
    for attempt in 1.. {
        match operate(&database, &nats.url(), &skip).await {
            Ok(_) => break,
            Err(error) => assert!(attempt < 100, "{error}"),
        }
        sleep(Duration::from_millis(50)).await;
    }
    database.caught_up(projection, TIMEOUT).await;
    sqlx::query("UPDATE write.events SET body = $3 WHERE partition = $1 AND seq = $2")
        .bind(i16::from(partition))
        .bind(seq)
        .bind(sound)
        .execute(&database.pool)
        .await
        .unwrap();

    // It could be applied now, but the live model has skipped it.
    let rebuild = async |options: &[&str], code: i32| {
        let args = [&["rebuild", "conversations"], options].concat();
        let ended = run(&database, &nats.url(), &args).await;
        assert_eq!(ended.code, code, "{}", ended.text);
    };
    rebuild(&[], 0).await;
    rebuild(&["--with-skipped"], 3).await;
    assert_eq!(generation(&database, projection).await, 2);
    rebuild(&["--with-skipped", "--accept-differences"], 0).await;
    database.assert_equal(&world, projection).await;
    program::stop(process).await;
}
