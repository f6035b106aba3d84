//! A post of an account with very many followers costs as much as any other post.

use std::time::{Duration, Instant};

use feedmill_tests::{
    client::Client,
    import::{Names, import_lines},
    kit::{Stack, StackConfig},
    log,
};

const FOLLOWERS: usize = 100_000;
const ROUNDS: usize = 20;

/// u0 and its followers.
fn records() -> impl Iterator<Item = String> {
    let at = "2020-01-01T00:00:00.000Z";
    let accounts = (0..=FOLLOWERS).map(move |n| {
        format!(
            r#"{{"type":"account","id":"u{n}","handle":"u{n}","display_name":"Person {n}","at":"{at}"}}"#
        )
    });
    let follows = (1..=FOLLOWERS)
        .map(move |n| format!(r#"{{"type":"follow","from":"u{n}","to":"u0","at":"{at}"}}"#));
    accounts.chain(follows)
}

/// How long the post takes from its acknowledgement to the reader's feed.
async fn until_visible(author: &Client, reader: &Client, text: &str) -> Duration {
    let post = author.post(text, None).await.expect(201).id();
    let began = Instant::now();
    let page = reader.get("/v1/feed?limit=2").await.expect(200);
    let took = began.elapsed();
    assert!(page.body.contains(&post.to_string()), "{page:?}");
    took
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_to_very_many_followers_is_visible_at_once_and_delays_no_other() {
    let stack = Stack::start(StackConfig::with_default_limits()).await;
    import_lines(&stack, records()).await;
    log::wait_until_projected(&stack.pool, Duration::from_mins(5))
        .await
        .expect("everything projected");

    let names = Names::read(&stack.pool).await.expect("the names");
    let account = |n: usize| names.id("account", &format!("u{n}")).expect("an account");
    // The reader's client knows the positions of its author.
    let pair = |author: usize, reader: usize| {
        let author = stack.client_of(account(author));
        let token = stack.signer.token(account(reader));
        (author.with_token(&token), author)
    };
    let (reader_of_many, author_of_many) = pair(0, FOLLOWERS);
    let (reader_of_few, author_of_few) = pair(1, 2);
    reader_of_few.follow(account(1)).await.expect(204);
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
