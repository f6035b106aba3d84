//! `projector events`: complete and in order, whatever the stream lacks.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    process::Stdio,
    time::Duration,
};

use feedmill_events::{Envelope, Event, Partition};
use feedmill_tests::kit::Nats;
use projector::projection::{feed, profiles};
use serde_json::Value;
use uuid::Uuid;

use crate::support::{
    database::Database,
    program::{command, run, start},
    stream::{create_stream, publish},
    world::World,
};

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Panics unless the output has all events of each partition in order, as they were appended.
fn assert_complete(printed: &[Value], appended: &[(Envelope, (Partition, i64))]) {
    let mut next: BTreeMap<u64, i64> = BTreeMap::new();
    for line in printed {
        let place = next.entry(line["partition"].as_u64().unwrap()).or_insert(1);
        assert_eq!(line["seq"].as_i64().unwrap(), *place, "{line}");
        *place += 1;
    }
    assert_eq!(printed.len(), appended.len());
    for (envelope, (partition, seq)) in appended {
        let line = printed
            .iter()
            .find(|line| line["partition"] == partition.number() && line["seq"] == *seq)
            .unwrap();
        assert_eq!(line["type"], envelope.event.event_type().name());
        assert_eq!(line["version"], envelope.event.event_type().version());
        assert_eq!(line["data"], serde_json::to_value(&envelope.event).unwrap());
    }
}

async fn append(
    database: &Database,
    world: &mut World,
    count: usize,
) -> Vec<(Envelope, (Partition, i64))> {
    let events = world.happen(count);
    let places = database.append(&events).await;
    events.into_iter().zip(places).collect()
}

fn places(
    events: &[(Envelope, (Partition, i64))],
) -> impl Iterator<Item = (&Envelope, (Partition, i64))> {
    events.iter().map(|(envelope, place)| (envelope, *place))
}

#[tokio::test]
async fn a_dump_is_complete_whatever_the_stream_lacks() {
    let (database, mut nats, mut world) =
        (Database::new().await, Nats::start().await, World::new(41));
    let dump = ["events", "dump", "--texts", "--reason", "a test"];
    // There is no stream.
    let mut all = append(&database, &mut world, 150).await;
    assert_complete(&lines(&run(&database, &nats.url(), &dump).await.text), &all);
    // The stream has all events.
    let stream = create_stream(&nats).await;
    publish(&nats, places(&all)).await;
    assert_complete(&lines(&run(&database, &nats.url(), &dump).await.text), &all);
    // Messages are deleted from it, at the beginning, in the middle and at the end.
    for sequence in [1, 2, 70, 71, 90, 149, 150] {
        stream.delete_message(sequence).await.unwrap();
    }
    assert_complete(&lines(&run(&database, &nats.url(), &dump).await.text), &all);
    // The stream does not have the latest events yet.
    all.extend(append(&database, &mut world, 30).await);
    assert_complete(&lines(&run(&database, &nats.url(), &dump).await.text), &all);
    // The stream is empty, then NATS is stopped.
    stream.purge().await.unwrap();
    assert_complete(&lines(&run(&database, &nats.url(), &dump).await.text), &all);
    nats.kill();
    assert_complete(&lines(&run(&database, &nats.url(), &dump).await.text), &all);
}

#[tokio::test]
async fn dumps_can_be_filtered_and_events_counted() {
    let (database, nats, mut world) = (Database::new().await, Nats::start().await, World::new(42));
    create_stream(&nats).await;
    let all = append(&database, &mut world, 300).await;
    publish(&nats, places(&all)).await;
    let (envelope, (place, _)) = &all[0];
    let partition = place.to_string();
    let ended = run(
        &database,
        &nats.url(),
        &["events", "dump", "--partition", &partition, "--from", "3"],
    )
    .await;
    let printed = lines(&ended.text);
    assert_eq!(printed.first().unwrap()["seq"], 3);
    assert!(
        printed
            .iter()
            .all(|line| line["partition"] == place.number())
    );
    let of_type = |name: &str| {
        all.iter()
            .filter(|(e, _)| e.event.event_type().name() == name)
            .count()
    };
    let ended = run(
        &database,
        &nats.url(),
        &["events", "dump", "--type", "post.liked"],
    )
    .await;
    assert_eq!(lines(&ended.text).len(), of_type("post.liked"));
    let ended = run(
        &database,
        &nats.url(),
        &["events", "dump", "--type", "post.liked", "--limit", "2"],
    )
    .await;
    assert_eq!(lines(&ended.text).len(), 2);
    let middle = all[150].0.at;
    let since = chrono::DateTime::from_timestamp_millis(middle)
        .unwrap()
        .to_rfc3339();
    let ended = run(
        &database,
        &nats.url(),
        &["events", "dump", "--since", &since],
    )
    .await;
    let later = all.iter().filter(|(e, _)| e.at >= middle).count();
    assert_eq!(lines(&ended.text).len(), later);
    assert!(envelope.at < middle);
    let counts = lines(&run(&database, &nats.url(), &["events", "count"]).await.text);
    let total: i64 = counts
        .iter()
        .map(|line| line["count"].as_i64().unwrap())
        .sum();
    assert_eq!(usize::try_from(total).unwrap(), all.len());
    let liked = counts
        .iter()
        .find(|line| line["type"] == "post.liked")
        .unwrap();
    assert_eq!(liked["count"], of_type("post.liked"));
    assert_eq!(
        run(
            &database,
            &nats.url(),
            &["events", "dump", "--type", "post.loved"]
        )
        .await
        .code,
        2
    );
    assert_eq!(
        run(
            &database,
            &nats.url(),
            &["events", "dump", "--since", "soon"]
        )
        .await
        .code,
        2
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tail_prints_new_events_with_or_without_the_stream() {
    let (database, nats, mut world) = (Database::new().await, Nats::start().await, World::new(43));
    create_stream(&nats).await;
    let mut all = append(&database, &mut world, 20).await;
    publish(&nats, places(&all)).await;
    let mut child = command(&database, &nats.url())
        .args([
            "events", "tail", "--from", "1", "--texts", "--reason", "a test",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut printed = vec![];
    for round in 0..4 {
        while printed.len() < all.len() {
            let line = output.next().unwrap().unwrap();
            printed.push(serde_json::from_str::<Value>(&line).unwrap());
        }
        let events = append(&database, &mut world, 10).await;
        // The relay publishes all of them, or only some.
        publish(&nats, places(&events[round.min(10)..])).await;
        if round == 2 {
            create_stream(&nats).await.purge().await.unwrap();
        }
        all.extend(events);
    }
    while printed.len() < all.len() {
        let line = output.next().unwrap().unwrap();
        printed.push(serde_json::from_str::<Value>(&line).unwrap());
    }
    assert_complete(&printed, &all);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test]
async fn a_closed_output_is_not_an_error() {
    let (database, nats, mut world) = (Database::new().await, Nats::absent(), World::new(44));
    append(&database, &mut world, 2_000).await;
    let mut child = command(&database, &nats.url())
        .args(["events", "dump"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    tokio::time::sleep(Duration::from_millis(10)).await;
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test]
async fn texts_are_hidden_unless_asked_for_which_is_recorded() {
    let (database, nats, mut world) = (Database::new().await, Nats::absent(), World::new(45));
    let all = append(&database, &mut world, 300).await;
    let run = async |args: &[&str]| run(&database, &nats.url(), args).await;
    let texts = all
        .iter()
        .filter_map(|(envelope, _)| match &envelope.event {
            Event::PostCreated(post) => Some(post.text.clone()),
            _ => None,
        });
    let texts: Vec<String> = texts.collect();
    let plain = run(&["events", "dump"]).await.text;
    assert!(lines(&plain).len() == all.len() && plain.contains("[hidden: "));
    assert!(!texts.is_empty() && texts.iter().all(|text| !plain.contains(text)));
    let without_reason = run(&["events", "dump", "--texts"]).await;
    assert_eq!(without_reason.code, 2, "{}", without_reason.text);
    let why = ["--texts", "--reason", "a report of abuse"];
    let shown = run(&[&["events", "dump", "--type", "post.created"][..], &why].concat()).await;
    assert!(texts.iter().all(|text| shown.text.contains(text)));
    let post = all
        .iter()
        .find(|(it, _)| matches!(it.event, Event::PostCreated(_)))
        .unwrap();
    let place = format!("{}:{}", post.1.0, post.1.1);
    let shown = run(&[&["events", "show", &place][..], &why].concat()).await;
    assert!(
        shown.text.contains(&texts[0]) && shown.text.contains("texts"),
        "{}",
        shown.text
    );
    let audit = run(&["audit", "--action", "texts", "--json"]).await.text;
    let audit: Value = serde_json::from_str(&audit).unwrap();
    let details = [&format!("event {place}"), "events: type post.created"];
    for (entry, detail) in audit.as_array().unwrap().iter().zip(details) {
        assert_eq!(
            (&entry["detail"], &entry["by"]),
            (&detail.into(), &"somebody".into())
        );
        assert_eq!(entry["reason"], "a report of abuse");
    }
}

#[tokio::test]
async fn the_events_of_an_account_and_of_a_thread_are_found() {
    let (database, nats, mut world) = (Database::new().await, Nats::absent(), World::new(46));
    let process = start(&database, &nats.url(), &[]);
    let all = append(&database, &mut world, 600).await;
    for projection in [&feed::DEFINITION, &profiles::DEFINITION] {
        database
            .caught_up(projection, Duration::from_secs(20))
            .await;
    }
    let run = async |args: &[&str]| run(&database, &nats.url(), args).await.text;
    let naming = |ids: &[String]| {
        let named = |envelope: &Envelope| {
            let text = serde_json::to_string(&envelope.event).unwrap();
            ids.iter().any(|id| text.contains(id))
        };
        all.iter().filter(|(envelope, _)| named(envelope)).count()
    };
    let (id, account) = world.oracle.accounts.iter().next().unwrap();
    let handle = format!("@{}", account.handle);
    let found = lines(&run(&["events", "dump", "--account", &handle]).await);
    assert_eq!(found.len(), naming(&[id.to_string()]));
    // A thread with replies: all of its posts, whichever of them is named.
    let thread: (Uuid, Vec<Uuid>) = sqlx::query_as(
        "SELECT root, array_agg(id) FROM feed.posts GROUP BY 1 HAVING count(*) > 1 AND bool_or(id = root) LIMIT 1",
    )
    .fetch_one(&database.pool)
    .await
    .unwrap();
    let posts: Vec<String> = thread.1.iter().map(Uuid::to_string).collect();
    for post in &posts {
        let found = lines(&run(&["events", "dump", "--thread", post]).await);
        assert_eq!(found.len(), naming(&posts), "{post}");
    }
    let unknown = run(&["events", "dump", "--account", "@nobody_here"]).await;
    assert!(
        unknown.contains("there is no account @nobody_here"),
        "{unknown}"
    );
    drop(process);
}
