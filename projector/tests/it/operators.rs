//! The operators' subcommands and their output.

use std::time::Duration;

use feedmill_tests::{
    kit::{Nats, wait_until},
    log::Raw,
};
use projector::projection::{conversations, feed, profiles};
use sqlx::Row as _;

use crate::support::{
    database::Database,
    program::{self, of, operate, status},
    stream::{create_stream, publish},
    world::{World, decisive_read},
};

const TIMEOUT: Duration = Duration::from_secs(20);
/// How soon instances notice what an operator did.
const NOTICED_WITHIN: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_paused_projection_does_not_move_and_status_names_who_paused_it() {
    let (database, nats, mut world) = (Database::new().await, Nats::absent(), World::new(41));
    let process = program::start(&database, &nats.url(), &[]);
    let places = database.append(&world.happen(200)).await;
    for projection in [&feed::DEFINITION, &profiles::DEFINITION] {
        database.caught_up(projection, TIMEOUT).await;
    }
    let run = async |args: &[&str]| operate(&database, &nats.url(), args).await;
    run(&["pause", "feed", "--reason", "the disk is full"])
        .await
        .unwrap();
    let again = run(&["pause", "feed", "--reason", "again"]).await;
    assert!(again.unwrap_err().contains("by somebody since"));
    let partition = places[0].0;
    let number = partition.to_string();
    operate(
        &database,
        &nats.url(),
        &["pause", "profiles", &number, "--by", "ann"],
    )
    .await
    .unwrap();
    tokio::time::sleep(NOTICED_WITHIN).await;
    let events = world.happen(200);
    let held = events
        .iter()
        .filter(|e| e.event.partition() == partition)
        .count();
    database.append(&events).await;
    database
        .caught_up_but(&profiles::DEFINITION, i64::try_from(held).unwrap(), TIMEOUT)
        .await;
    tokio::time::sleep(NOTICED_WITHIN).await;
    assert_eq!(database.behind(&feed::DEFINITION).await, 200);
    let seen = status(&database, &nats.url()).await;
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
    // A projection that is paused as a whole cannot be resumed in part, and vice versa.
    let part = run(&["resume", "feed", "3"]).await;
    assert!(part.unwrap_err().contains("feed is paused as a whole"));
    let whole = run(&["resume", "profiles"]).await;
    assert!(whole.unwrap_err().contains("is paused by itself"));
    run(&["resume", "feed"]).await.unwrap();
    operate(&database, &nats.url(), &["resume", "profiles", &number])
        .await
        .unwrap();
    for projection in [&feed::DEFINITION, &profiles::DEFINITION] {
        database.caught_up(projection, 3 * NOTICED_WITHIN).await;
        database.assert_equal(&world, projection).await;
    }
    let seen = status(&database, &nats.url()).await;
    let entries: Vec<(&str, &str)> = seen["audit"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            (
                entry["action"].as_str().unwrap(),
                entry["projection"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("resume", "profiles"),
        ("resume", "feed"),
        ("pause", "profiles"),
        ("pause", "feed"),
    ];
    assert_eq!(entries, expected);
    program::stop(process).await;
}

#[tokio::test]
async fn only_the_event_that_blocks_a_partition_can_be_skipped() {
    let (database, nats, mut world) = (Database::new().await, Nats::absent(), World::new(44));
    let projection = &conversations::DEFINITION;
    let process = program::start(&database, &nats.url(), &[]);
    let events = world.happen(400);
    let spoilt = decisive_read(&events);
    let mut raw: Vec<_> = events.iter().map(Raw::from).collect();
    raw[spoilt].body = b"spoilt".to_vec();
    let places = database.append_raw(&raw).await;
    let (partition, seq) = places[spoilt];
    let waiting = places
        .iter()
        .filter(|(p, s)| *p == partition && *s >= seq)
        .count();
    database
        .caught_up_but(projection, i64::try_from(waiting).unwrap(), TIMEOUT)
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
        operate(&database, &nats.url(), &args).await
    };
    // Recorded a moment after the other events were applied.
    wait_until("a partition is blocked", async || {
        let count = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM projector.blocked");
        count.fetch_one(&database.pool).await.unwrap() > 0
    })
    .await;
    let table = operate(&database, &nats.url(), &["status"]).await.unwrap();
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
    let refused = operate(&database, &nats.url(), &without).await.unwrap_err();
    assert!(refused.contains("--reason"), "{refused}");
    skip(number.clone(), seq).await.unwrap();
    database.caught_up(projection, 3 * NOTICED_WITHIN).await;
    let refused = skip(number, seq).await.unwrap_err();
    assert!(refused.contains("is not blocked"), "{refused}");
    let rows =
        sqlx::query("SELECT done_by, action, partition, seq, reason, detail FROM projector.audit")
            .fetch_all(&database.pool)
            .await
            .unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].get::<String, _>(0), "somebody");
    assert_eq!(rows[0].get::<String, _>(1), "skip");
    assert_eq!(rows[0].get::<i16, _>(2), i16::from(partition));
    assert_eq!(rows[0].get::<i64, _>(3), seq);
    assert_eq!(rows[0].get::<String, _>(4), "spoilt");
    assert!(rows[0].get::<String, _>(5).contains("does not decode"));
    program::stop(process).await;
}

#[tokio::test]
async fn a_stopped_relay_is_reported() {
    let (database, mut nats, mut world) =
        (Database::new().await, Nats::start().await, World::new(43));
    create_stream(&nats).await;
    let process = program::start(&database, &nats.url(), &["--only", "profiles"]);
    let events = world.happen(100);
    let places = database.append(&events).await;
    publish(&nats, events.iter().zip(places)).await;
    database.caught_up(&profiles::DEFINITION, TIMEOUT).await;
    let seen = status(&database, &nats.url()).await;
    assert_eq!(seen["relay"]["state"], "ok", "{}", seen["relay"]);
    assert_eq!(seen["relay"]["lag_events"], 0);
    // The log grows, the stream does not.
    database.append(&world.happen(120)).await;
    database.caught_up(&profiles::DEFINITION, TIMEOUT).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    let seen = status(&database, &nats.url()).await;
    assert_eq!(seen["relay"]["state"], "behind", "{}", seen["relay"]);
    assert_eq!(seen["relay"]["lag_events"], 120);
    assert!(seen["relay"]["lag_seconds"].as_f64().unwrap() > 3.0);
    let table = operate(&database, &nats.url(), &["status"]).await.unwrap();
    println!("{table}");
    assert!(table.contains("IS 120 EVENTS BEHIND the log for"));
    assert!(process.log().contains("the stream is behind the log"));
    nats.kill();
    let table = operate(&database, &nats.url(), &["status"]).await.unwrap();
    assert!(table.contains("UNKNOWN: cannot connect to NATS"), "{table}");
    program::stop(process).await;
}

#[tokio::test]
async fn indexes_are_reported_with_their_use_and_advice() {
    let (database, nats, mut world) = (Database::new().await, Nats::absent(), World::new(43));
    let process = program::start(&database, &nats.url(), &[]);
    database.append(&world.happen(300)).await;
    database.caught_up(&feed::DEFINITION, TIMEOUT).await;
    sqlx::raw_sql(
        "CREATE INDEX posts_of_author_again ON feed.posts (author);
         ANALYZE feed.posts",
    )
    .execute(&database.pool)
    .await
    .unwrap();
    let run = async |args: &[&str]| operate(&database, &nats.url(), args).await;
    let json = run(&["indexes", "--json"]).await.unwrap();
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    let of = |list: &str, name: &str| {
        let all = report[list].as_array().unwrap().iter();
        let found = all.filter(|it| it["schema"] == "feed" && it["name"] == name);
        let found: Vec<_> = found.cloned().collect();
        assert_eq!(found.len(), 1, "{name}");
        found[0].clone()
    };
    let own = of("indexes", "posts_of_author_again");
    assert_eq!(
        (&own["table"], &own["is_unique"], &own["is_valid"]),
        (&"posts".into(), &false.into(), &true.into())
    );
    assert!(
        own["bytes"].as_i64() > Some(0) && own["bloat"].as_f64() <= Some(1.0),
        "{own}"
    );
    let posts = of("tables", "posts");
    assert!(
        posts["rows"].as_i64() > Some(0) && posts["analyzed_at"].is_string(),
        "{posts}"
    );
    for schema in ["write", "projector", "feed", "profiles", "digest"] {
        let indexes = report["indexes"].as_array().unwrap();
        assert!(indexes.iter().any(|it| it["schema"] == schema), "{schema}");
    }
    let advice = report["advice"].to_string();
    assert!(
        advice.contains("feed.posts_of_author_again is redundant: feed.posts_of_author"),
        "{advice}"
    );
    assert!(
        advice.contains("feed.posts_of_author_again (") && advice.contains("never used"),
        "{advice}"
    );
    let table = run(&["indexes"]).await.unwrap();
    println!("{table}");
    assert!(table.contains("feed.posts_of_author_again") && table.contains("\nAdvice\n- "));
    drop(process);
}
