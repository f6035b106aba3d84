//! Very many streams at one instance of read-api.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use feedmill_tests::{
    import::{Names, import_lines},
    kit::{Stack, StackConfig, resident_memory},
    log,
};
use futures::{StreamExt, stream};

use super::support::{next, next_named};

const STREAMS: usize = 5_000;

/// Accounts that the reader of a stream follows. Each costs the stream 28 bytes.
const FOLLOWED: usize = 10;

/// Memory of read-api with all streams at most, in bytes.
const MAX_MEMORY: u64 = 300 << 20;

/// Each of u1 … follows u0 and others.
fn records() -> impl Iterator<Item = String> {
    let at = "2020-01-01T00:00:00.000Z";
    let accounts = (0..=STREAMS).map(move |n| {
        format!(
            r#"{{"type":"account","id":"u{n}","handle":"u{n}","display_name":"Person {n}","at":"{at}"}}"#
        )
    });
    let follow = move |from: usize, to: usize| {
        format!(r#"{{"type":"follow","from":"u{from}","to":"u{to}","at":"{at}"}}"#)
    };
    let follows = (1..=STREAMS).flat_map(move |from| {
        let others = (0..FOLLOWED - 1).map(move |n| (from + n * 97) % STREAMS + 1);
        let others = others.filter(move |to| *to != from);
        [0].into_iter()
            .chain(others)
            .map(move |to| follow(from, to))
    });
    accounts.chain(follows)
}

fn memory(pid: u32) -> u64 {
    let process = Path::new("/proc").join(pid.to_string());
    resident_memory(&process).expect("a process")
}

#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_streams_stay_within_their_memory_and_receive_every_post() {
    let stack = Stack::start(StackConfig::with_default_limits()).await;
    import_lines(&stack, records()).await;
    log::wait_until_projected(&stack.pool, Duration::from_mins(5))
        .await
        .expect("everything projected");
    let names = Names::read(&stack.pool).await.expect("the names");
    let account = |n: usize| names.id("account", &format!("u{n}")).expect("an account");
    let pid = stack.read[0].pid().expect("a process");
    let before = memory(pid);

    let began = Instant::now();
    let clients: Vec<_> = (1..=STREAMS).map(|n| stack.client_of(account(n))).collect();
    let opened = stream::iter(&clients).map(async |client| {
        let mut stream = client.stream(None).await.expect("a stream");
        assert_eq!(next(&mut stream).await.name, "unread");
        stream
    });
    let mut streams: Vec<_> = opened.buffer_unordered(64).collect().await;
    let opened = began.elapsed();
    let open = memory(pid);

    let author = stack.client_of(account(0));
    let mut waits = vec![];
    for round in 0..3 {
        let text = format!("round {round}");
        let began = Instant::now();
        author.post(&text, None).await.expect(201);
        let told = streams.iter_mut().map(async |stream| {
            assert_eq!(next_named(stream, "post").await.data["text"], text);
        });
        // Other clients read at the same time.
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
         (all have received a post, a read meanwhile) after {waits:?}",
        mib(open),
        mib(before),
        mib(after)
    );
    assert!(after < MAX_MEMORY, "{} MiB", mib(after));
}
