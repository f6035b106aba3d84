//! Live updates, from the command to the server-sent event.

mod crowd;
mod gaps;
mod support;

use std::time::{Duration, Instant};

use feedmill_tests::{
    client::{EventStream, ServerSentEvent},
    kit::{Mode, Stack, StackConfig},
    link::LinkKind,
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use support::{account, next, next_named, open};

fn counts(messages: i64, notifications: i64) -> Value {
    json!({
        "conversations": { "unread_total": messages },
        "notifications": { "unread_count": notifications },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_arrive_at_once_and_at_nobody_else() {
    let stack = Stack::start(StackConfig::default()).await;
    let [alice, bob, carol] = [
        account(&stack, "alice").await,
        account(&stack, "bob").await,
        account(&stack, "carol").await,
    ];
    let of = |account| stack.client().with_token(&stack.signer.token(account));
    let (a, b) = (of(alice), of(bob));
    a.follow(bob).await.expect(204);
    let conversation = a.create_conversation(&[bob], None).await.expect(201).id();
    a.get("/v1/feed").await.expect(200);
    let (mut to_a, mut to_b, mut to_c) = (open(&a).await, open(&b).await, open(&of(carol)).await);

    let mut waits = vec![];
    for round in 0..20 {
        let text = format!("round {round}");
        let post = b.post(&text, None).await.expect(201).id();
        let began = Instant::now();
        let event = next(&mut to_a).await;
        waits.push(began.elapsed());
        assert_eq!((&*event.name, event.id()), ("post", &*post.to_string()));
        let feed = a.get("/v1/feed?limit=1").await.expect(200).json();
        let mut item = feed["items"][0].clone();
        // In the feed only.
        let read = item.as_object_mut().and_then(|item| item.remove("read"));
        assert_eq!((event.data, read), (item, Some(false.into())));
        assert_eq!(next_named(&mut to_b, "post").await.data["text"], text);
    }
    waits.sort();
    println!(
        "a post arrives after {:?}, at most {:?}",
        waits[10], waits[19]
    );
    assert!(waits[10] < Duration::from_secs(1), "{waits:?}");

    let message = b.send_message(conversation, "Hello").await.expect(201).id();
    let event = next_named(&mut to_a, "message").await;
    let path = format!("/v1/conversations/{conversation}/messages");
    let mut listed = a.get(&path).await.expect(200).json()["items"][0].clone();
    listed["conversation_id"] = json!(conversation);
    assert_eq!(event.data, listed);
    assert_eq!(next_named(&mut to_a, "unread").await.data, counts(1, 0));
    // An account's own messages arrive too: another device may have sent them.
    assert_eq!(
        next_named(&mut to_b, "message").await.id(),
        message.to_string()
    );
    a.mark_read(conversation, message).await.expect(204);
    assert_eq!(next_named(&mut to_a, "unread").await.data, counts(0, 0));

    let answer = a.get("/v1/feed?limit=1").await.json()["items"][0]["id"].clone();
    let post: Uuid = answer
        .as_str()
        .and_then(|id| id.parse().ok())
        .expect("an id");
    a.post("An answer", Some(post)).await.expect(201);
    let event = next_named(&mut to_b, "notification").await;
    let listed = b.get("/v1/notifications").await.expect(200).json();
    a.like(post).await.expect(204);
    assert_eq!(event.data, listed["items"][0]);
    assert_eq!(event.data["post"]["text"], "An answer");
    assert_eq!(
        next_named(&mut to_b, "notification").await.data["type"],
        "like"
    );

    let quiet = timeout(Duration::from_secs(1), to_c.next()).await;
    assert!(quiet.is_err(), "Carol receives {quiet:?}");
}

/// Though the list has it with another id each time.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_comes_and_goes_is_told_once() {
    let stack = Stack::start(StackConfig::default()).await;
    let (author, fan) = (
        account(&stack, "author").await,
        account(&stack, "fan").await,
    );
    let (a, f) = (stack.client_of(author), stack.client_of(fan));
    let post = a.post("Like me", None).await.expect(201).id();
    a.get("/v1/feed").await.expect(200);
    let mut stream = open(&a).await;
    for (kind, to, name) in [
        (LinkKind::Like, post, "like"),
        (LinkKind::Follow, author, "follow"),
    ] {
        let mut told = vec![];
        for _ in 0..10 {
            for make in [true, false] {
                f.link(kind, to, make).await.expect(204);
                // The stream has read the list after this command.
                told.extend(until_unread(&mut stream, i64::from(make)).await);
            }
        }
        assert_eq!(told.len(), 1, "{told:#?}");
        assert_eq!(told[0].data["type"], name);
    }
    f.like(post).await.expect(204);
    assert!(until_unread(&mut stream, 1).await.is_empty());
    a.wait_for(&f.positions());
    let listed = a.get("/v1/notifications").await.expect(200).json();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1));
}

/// The notifications before the next event that says that so many are unread.
async fn until_unread(stream: &mut EventStream, count: i64) -> Vec<ServerSentEvent> {
    let mut told = vec![];
    loop {
        let event = next(stream).await;
        match &*event.name {
            "notification" => told.push(event),
            "unread" if event.data == counts(0, count) => return told,
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_arrive_without_nats() {
    let stack = Stack::start(StackConfig {
        faults: true,
        ..StackConfig::default()
    })
    .await;
    let author = account(&stack, "author").await;
    let client = stack.client_of(author);
    let mut stream = open(&client).await;
    for mode in [Mode::Cut, Mode::Hold, Mode::Open] {
        stack.routes["read-api-0"].nats.set(mode);
        let text = format!("{mode:?}");
        let began = Instant::now();
        client.post(&text, None).await.expect(201);
        assert_eq!(next_named(&mut stream, "post").await.data["text"], text);
        println!("NATS {text}: an update after {:?}", began.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_service_ends_its_streams() {
    let mut stack = Stack::start(StackConfig {
        environment: vec![("STREAMS_MAX_PER_ACCOUNT".to_owned(), "1".to_owned())],
        ..StackConfig::default()
    })
    .await;
    let client = stack.client_of(account(&stack, "reader").await);
    let mut stream = open(&client).await;
    let refused = client.stream(None).await.expect_err("only one");
    assert_eq!(refused.status(), Some(StatusCode::TOO_MANY_REQUESTS));
    let ended = async {
        while stream.next().await.is_some() {}
        Instant::now()
    };
    let began = Instant::now();
    let (ended, status) = tokio::join!(ended, stack.read[0].stop());
    assert!(status.success() && ended - began < Duration::from_secs(5));
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
    // A client that reconnects misses nothing.
    stack.read[0].restart().await;
    let id = stream.last_event_id.expect("an id");
    let mut again = client.stream(Some(&id)).await.expect("a stream");
    let post = client.post("After", None).await.expect(201).id();
    assert_eq!(next_named(&mut again, "post").await.id(), post.to_string());
    sleep(Duration::from_millis(10)).await;
}
