//! What operators do by hand, and what they are told.

use std::time::Duration;

use projector::projection::{conversations, feed, profiles};
use sqlx::Row as _;

use crate::support::{
    database::Database,
    model,
    nats::Nats,
    process::{Process, of, operate, status},
    world::World,
};

const SOON: Duration = Duration::from_secs(20);
/// Within this, instances see what an operator did.
const OBEYED: Duration = Duration::from_secs(1);

#[tokio::test]
async fn what_is_paused_stands_still_until_it_is_resumed_and_says_by_whom() {
    let (database, nats, mut world) = (Database::new().await, Nats::absent(), World::new(41));
    let process = Process::start(&database, &nats.url, &[]);
    let places = database.append(&world.happen(200)).await;
    for projection in [&feed::DEFINITION, &profiles::DEFINITION] {
        database.caught_up(projection, SOON).await;
    }
    let run = |args: &'static [&str]| operate(&database, &nats.url, args);
    run(&["pause", "feed", "--reason", "the disk is full"])
        .await
        .unwrap();
    let again = run(&["pause", "feed", "--reason", "again"]).await;
    assert!(again.unwrap_err().contains("by somebody since"));
    let partition = places[0].0;
    let number = partition.to_string();
    operate(
        &database,
        &nats.url,
        &["pause", "profiles", &number, "--by", "ann"],
    )
    .await
    .unwrap();
    tokio::time::sleep(OBEYED).await;
    let events = world.happen(200);
    let held = events
        .iter()
        .filter(|e| e.event.partition() == partition)
        .count();
    database.append(&events).await;
    database
        .caught_up_but(&profiles::DEFINITION, i64::try_from(held).unwrap(), SOON)
        .await;
    tokio::time::sleep(OBEYED).await;
    assert_eq!(database.behind(&feed::DEFINITION).await, 200);
    let seen = status(&database, &nats.url).await;
    assert_eq!(of(&seen, "feed")["standing"]["paused"], 64);
    assert_eq!(of(&seen, "feed")["lag_events"], 200);
    assert!(of(&seen, "feed")["lag_seconds"].as_f64().unwrap() > 0.9);
    assert_eq!(of(&seen, "profiles")["standing"]["paused"], 1);
    let standing = &of(&seen, "profiles")["partitions"][usize::from(partition.number())];
    assert_eq!(standing["standing"]["why"], "paused");
    assert_eq!(standing["standing"]["by"], "ann");
    let table = run(&["status"]).await.unwrap();
    println!("{table}");
    assert!(table.contains("PAUSED by somebody since"));
    assert!(table.contains("somebody  pause feed: the disk is full"));
    // What is paused as a whole is not resumed in part, and the other way round.
    let part = run(&["resume", "feed", "3"]).await;
    assert!(part.unwrap_err().contains("feed is paused as a whole"));
    let whole = run(&["resume", "profiles"]).await;
    assert!(whole.unwrap_err().contains("is paused by itself"));
    run(&["resume", "feed"]).await.unwrap();
    operate(&database, &nats.url, &["resume", "profiles", &number])
        .await
        .unwrap();
    for projection in [&feed::DEFINITION, &profiles::DEFINITION] {
        database.caught_up(projection, 3 * OBEYED).await;
        model::assert_equal(&world, projection, &database.pool(projection)).await;
    }
    let seen = status(&database, &nats.url).await;
    let deeds: Vec<(&str, &str)> = seen["audit"]
        .as_array()
        .unwrap()
        .iter()
        .map(|deed| {
            (
                deed["action"].as_str().unwrap(),
                deed["projection"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("resume", "profiles"),
        ("resume", "feed"),
        ("pause", "profiles"),
        ("pause", "feed"),
    ];
    assert_eq!(deeds, expected);
    process.stop();
}

#[tokio::test]
async fn only_the_event_that_blocks_now_is_skipped() {
    let (database, nats, mut world) = (Database::new().await, Nats::absent(), World::new(42));
    let projection = &conversations::DEFINITION;
    let process = Process::start(&database, &nats.url, &[]);
    let events = world.happen(400);
    // A read mark, which nothing else needs.
    let spoilt = events
        .iter()
        .rposition(|e| e.event.event_type().name() == "conversation.read")
        .unwrap();
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
    raw[spoilt].3 = b"spoilt".to_vec();
    let places = database.append_raw(&raw).await;
    let (partition, seq) = places[spoilt];
    let waiting = places
        .iter()
        .filter(|(p, s)| *p == partition && *s >= seq)
        .count();
    database
        .caught_up_but(projection, i64::try_from(waiting).unwrap(), SOON)
        .await;
    let (number, other) = (partition.to_string(), (partition.number() + 1) % 64);
    let skip = async |partition: String, seq: i64| {
        let seq = seq.to_string();
        let args = [
            "skip",
            "conversations",
            &partition,
            &seq,
            "--reason",
            "spoilt",
        ];
        operate(&database, &nats.url, &args).await
    };
    // Noted a moment after the rest was applied.
    for _ in 0..100 {
        let noted: i64 = sqlx::query_scalar("SELECT count(*) FROM projector.blocked")
            .fetch_one(&database.admin)
            .await
            .unwrap();
        if noted > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let table = operate(&database, &nats.url, &["status"]).await.unwrap();
    println!("{table}");
    assert!(table.contains(&format!("BLOCKED at {seq} since")));
    for wrong in [seq - 1, seq + 1] {
        let refused = skip(number.clone(), wrong).await.unwrap_err();
        assert!(
            refused.contains(&format!("event {partition}:{seq} does")),
            "{refused}"
        );
    }
    let refused = skip(other.to_string(), 1).await.unwrap_err();
    assert!(refused.contains("is not blocked"), "{refused}");
    let without = ["skip", "conversations", &number, "1"];
    let refused = operate(&database, &nats.url, &without).await.unwrap_err();
    assert!(refused.contains("--reason"), "{refused}");
    skip(number.clone(), seq).await.unwrap();
    database.caught_up(projection, 3 * OBEYED).await;
    let refused = skip(number, seq).await.unwrap_err();
    assert!(refused.contains("is not blocked"), "{refused}");
    let rows =
        sqlx::query("SELECT done_by, action, partition, seq, reason, detail FROM projector.audit")
            .fetch_all(&database.admin)
            .await
            .unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].get::<String, _>(0), "somebody");
    assert_eq!(rows[0].get::<String, _>(1), "skip");
    assert_eq!(rows[0].get::<i16, _>(2), i16::from(partition));
    assert_eq!(rows[0].get::<i64, _>(3), seq);
    assert_eq!(rows[0].get::<String, _>(4), "spoilt");
    assert!(rows[0].get::<String, _>(5).contains("does not decode"));
    process.stop();
}

#[tokio::test]
async fn a_relay_that_is_down_is_not_called_caught_up() {
    let (database, mut nats, mut world) =
        (Database::new().await, Nats::started().await, World::new(43));
    nats.make_stream().await;
    let process = Process::start(&database, &nats.url, &["--only", "profiles"]);
    let events = world.happen(100);
    let places = database.append(&events).await;
    nats.publish(events.iter().zip(places)).await;
    database.caught_up(&profiles::DEFINITION, SOON).await;
    let seen = status(&database, &nats.url).await;
    assert_eq!(seen["relay"]["state"], "ok", "{}", seen["relay"]);
    assert_eq!(seen["relay"]["lag_events"], 0);
    // The log goes on, the stream does not.
    database.append(&world.happen(120)).await;
    database.caught_up(&profiles::DEFINITION, SOON).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    let seen = status(&database, &nats.url).await;
    assert_eq!(seen["relay"]["state"], "behind", "{}", seen["relay"]);
    assert_eq!(seen["relay"]["lag_events"], 120);
    assert!(seen["relay"]["lag_seconds"].as_f64().unwrap() > 3.0);
    let table = operate(&database, &nats.url, &["status"]).await.unwrap();
    println!("{table}");
    assert!(table.contains("IS 120 EVENTS BEHIND the log for"));
    assert!(process.log().contains("the stream is behind the log"));
    nats.kill();
    let table = operate(&database, &nats.url, &["status"]).await.unwrap();
    assert!(table.contains("UNKNOWN: NATS"), "{table}");
    process.stop();
}
