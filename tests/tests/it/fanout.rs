//! A post of somebody whom very many follow costs what any post costs.

use std::{
    fs,
    time::{Duration, Instant},
};

use feedmill_tests::{
    client::Client,
    community::{Names, import, wait_until_projected},
    harness::{Plan, World},
};

const FOLLOWERS: usize = 100_000;
const ROUNDS: usize = 20;

/// u0, whom all others follow.
fn records() -> String {
    let at = "2020-01-01T00:00:00.000Z";
    let accounts = (0..=FOLLOWERS).map(|n| {
        format!(
            r#"{{"type":"account","id":"u{n}","handle":"u{n}","display_name":"Person {n}","at":"{at}"}}"#
        )
    });
    let follows = (1..=FOLLOWERS)
        .map(|n| format!(r#"{{"type":"follow","from":"u{n}","to":"u0","at":"{at}"}}"#));
    accounts.chain(follows).collect::<Vec<_>>().join("\n") + "\n"
}

/// How long after its acknowledgement the post is in the reader's feed.
async fn until_visible(author: &Client, reader: &Client, text: &str) -> Duration {
    let post = author.post(text, None).await.expect(201).id();
    let began = Instant::now();
    let page = reader.get("/v1/feed?limit=2").await.expect(200);
    let took = began.elapsed();
    assert!(page.body.contains(&post.to_string()), "{page:?}");
    took
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_to_very_many_is_there_at_once_and_holds_up_nobody() {
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
    wait_until_projected(&world, Duration::from_mins(5))
        .await
        .expect("all of it projected");

    let names = Names::read(&world.pool).await.expect("the names");
    let account = |n: usize| names.id("account", &format!("u{n}")).expect("an account");
    // A reader's client knows how far its author has written.
    let pair = |author: usize, reader: usize| {
        let author = world.client_of(account(author));
        let token = world.signer.token(account(reader));
        (author.with_token(&token), author)
    };
    let (reader_of_many, author_of_many) = pair(0, FOLLOWERS);
    let (reader_of_few, author_of_few) = pair(1, 2);
    reader_of_few.follow(account(1), true).await.expect(204);
    let mut waits = vec![];
    for round in 0..ROUNDS {
        let text = format!("round {round}");
        let (to_many, to_few) = tokio::join!(
            until_visible(&author_of_many, &reader_of_many, &text),
            until_visible(&author_of_few, &reader_of_few, &text)
        );
        waits.extend([to_many, to_few]);
    }
    waits.sort();
    let (median, longest) = (waits[ROUNDS], waits[2 * ROUNDS - 1]);
    println!("{FOLLOWERS} followers: visible after {median:?}, at most {longest:?}");
    assert!(median < Duration::from_secs(1), "{waits:?}");
}
