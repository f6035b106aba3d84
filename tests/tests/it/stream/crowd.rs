//! Very many streams on one read-api.

use std::{
    fs,
    time::{Duration, Instant},
};

use feedmill_tests::{
    community::{Names, import, wait_until_projected},
    harness::{Plan, World},
};
use futures::{StreamExt, stream};

use super::{next, next_of, try_live};

const STREAMS: usize = 5_000;

/// A stream follows the posts of so many. Each of them costs it 28 bytes.
const FOLLOWED: usize = 10;

/// In bytes: what a read-api with so many streams may take.
const MEMORY: u64 = 300 << 20;

/// Each of u1 … follows u0 and others.
fn records() -> String {
    let at = "2020-01-01T00:00:00.000Z";
    let accounts = (0..=STREAMS).map(|n| {
        format!(
            r#"{{"type":"account","id":"u{n}","handle":"u{n}","display_name":"Person {n}","at":"{at}"}}"#
        )
    });
    let follow = move |from: usize, to: usize| {
        format!(r#"{{"type":"follow","from":"u{from}","to":"u{to}","at":"{at}"}}"#)
    };
    let follows = (1..=STREAMS).flat_map(|from| {
        let others = (0..FOLLOWED - 1).map(move |n| (from + n * 97) % STREAMS + 1);
        let others = others.filter(move |to| *to != from);
        [0].into_iter()
            .chain(others)
            .map(move |to| follow(from, to))
    });
    accounts.chain(follows).collect::<Vec<_>>().join("\n") + "\n"
}

/// `VmRSS` of a process, in bytes.
fn memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes =
        line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kilobytes.expect("kilobytes") * 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_streams_take_little_and_are_all_told() {
    let world = World::start(Plan {
        feed_depth: 1_000,
        fanout_max_followers: 10_000,
        ..Plan::default()
    })
    .await;
    let file = world.folder.0.join("import.ndjson");
    fs::write(&file, records()).expect("the file");
    let run = import(&world, &file).await;
    assert!(run.success, "{}", run.output);
    let patience = Duration::from_mins(5);
    wait_until_projected(&world, patience)
        .await
        .expect("all of it projected");
    let names = Names::read(&world.pool).await.expect("the names");
    let account = |n: usize| names.id("account", &format!("u{n}")).expect("an account");
    let pid = world.read[0].pid().expect("a process");
    let before = memory(pid);

    let began = Instant::now();
    let clients: Vec<_> = (1..=STREAMS).map(|n| world.client_of(account(n))).collect();
    let opened = stream::iter(&clients).map(async |client| {
        let mut live = try_live(client, None).await.expect("a stream");
        assert_eq!(next(&mut live).await.name, "unread");
        live
    });
    let mut streams: Vec<_> = opened.buffer_unordered(64).collect().await;
    let opened = began.elapsed();
    let open = memory(pid);

    let author = world.client_of(account(0));
    let mut waits = vec![];
    for round in 0..3 {
        let text = format!("round {round}");
        let began = Instant::now();
        author.post(&text, None).await.expect(201);
        let told = streams.iter_mut().map(async |live| {
            assert_eq!(next_of(live, "post").await.data["text"], text);
        });
        // Meanwhile others read.
        let reading = async {
            let began = Instant::now();
            clients[0].get("/v1/feed").await.expect(200);
            began.elapsed()
        };
        let told = stream::iter(told)
            .buffer_unordered(STREAMS)
            .collect::<Vec<()>>();
        let (_, read) = tokio::join!(told, reading);
        waits.push((began.elapsed(), read));
    }
    let after = memory(pid);
    let mib = |bytes: u64| bytes >> 20;
    println!(
        "{STREAMS} streams opened in {opened:?}: {} MiB, of which {} before and {} after; \
         (all told, a read meanwhile) after {waits:?}",
        mib(open),
        mib(before),
        mib(after)
    );
    assert!(after < MEMORY, "{} MiB", mib(after));
}
