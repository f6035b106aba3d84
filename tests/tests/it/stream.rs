//! Live updates, from the command to the event.

mod crowd;
mod gaps;

use std::time::{Duration, Instant};

use feedmill_tests::{
    client::{Client, http},
    harness::{Plan, World},
    live::{Event, Live},
    proxy::Mode,
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

/// Far more than it takes, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_mins(1);

/// Opens a stream at the client's read-api.
async fn try_live(client: &Client, last_event_id: Option<&str>) -> reqwest::Result<Live> {
    // It goes on for as long as it likes, unlike other answers.
    let day = Duration::from_hours(24);
    let request = http().get(format!("{}/v1/stream", client.read));
    let mut request = client.signed(request.timeout(day));
    if let Some(id) = last_event_id {
        request = request.header("Last-Event-ID", id);
    }
    Ok(Live::new(request.send().await?.error_for_status()?))
}

/// The same, and past what comes first.
async fn live(client: &Client) -> Live {
    let mut live = try_live(client, None).await.expect("a stream");
    assert_eq!(next(&mut live).await.name, "unread");
    live
}

async fn next(live: &mut Live) -> Event {
    let event = timeout(PATIENCE, live.next()).await;
    event.expect("an event in time").expect("an open stream")
}

/// The next one of this name; others are passed over.
async fn next_of(live: &mut Live, name: &str) -> Event {
    loop {
        let event = next(live).await;
        if event.name == name {
            return event;
        }
    }
}

async fn account(world: &World, handle: &str) -> Uuid {
    let answer = world.client().create_account(handle, handle).await;
    answer.expect(201).id()
}

fn counts(messages: i64, notifications: i64) -> Value {
    json!({
        "conversations": { "unread_total": messages },
        "notifications": { "unread_count": notifications },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_told_at_once_and_to_nobody_else() {
    let world = World::start(Plan::default()).await;
    let [alice, bob, carol] = [
        account(&world, "alice").await,
        account(&world, "bob").await,
        account(&world, "carol").await,
    ];
    let of = |account| world.client().with_token(&world.signer.token(account));
    let (a, b) = (of(alice), of(bob));
    a.follow(bob, true).await.expect(204);
    let talk = a.create_conversation(&[bob], None).await.expect(201).id();
    a.get("/v1/feed").await.expect(200);
    let (mut to_a, mut to_b, mut to_c) = (live(&a).await, live(&b).await, live(&of(carol)).await);

    let mut waits = vec![];
    for round in 0..20 {
        let text = format!("round {round}");
        let post = b.post(&text, None).await.expect(201).id();
        let began = Instant::now();
        let event = next(&mut to_a).await;
        waits.push(began.elapsed());
        assert_eq!((&*event.name, event.id()), ("post", &*post.to_string()));
        let feed = a.get("/v1/feed?limit=1").await.expect(200).json();
        assert_eq!(event.data, feed["items"][0]);
        assert_eq!(next_of(&mut to_b, "post").await.data["text"], text);
    }
    waits.sort();
    println!(
        "a post: told after {:?}, at most {:?}",
        waits[10], waits[19]
    );
    assert!(waits[10] < Duration::from_secs(1), "{waits:?}");

    let message = b.send_message(talk, "Hello").await.expect(201).id();
    let event = next_of(&mut to_a, "message").await;
    let path = format!("/v1/conversations/{talk}/messages");
    let mut listed = a.get(&path).await.expect(200).json()["items"][0].clone();
    listed["conversation_id"] = json!(talk);
    assert_eq!(event.data, listed);
    assert_eq!(next_of(&mut to_a, "unread").await.data, counts(1, 0));
    // One's own messages come too: another device may have sent them.
    assert_eq!(
        next_of(&mut to_b, "message").await.id(),
        message.to_string()
    );
    a.mark_read(talk, message).await.expect(204);
    assert_eq!(next_of(&mut to_a, "unread").await.data, counts(0, 0));

    let answer = a.get("/v1/feed?limit=1").await.json()["items"][0]["id"].clone();
    let post: Uuid = answer
        .as_str()
        .and_then(|id| id.parse().ok())
        .expect("an id");
    a.post("An answer", Some(post)).await.expect(201);
    let event = next_of(&mut to_b, "notification").await;
    let listed = b.get("/v1/notifications").await.expect(200).json();
    a.like(post, true).await.expect(204);
    assert_eq!(event.data, listed["items"][0]);
    assert_eq!(event.data["post"]["text"], "An answer");
    assert_eq!(
        next_of(&mut to_b, "notification").await.data["type"],
        "like"
    );

    let quiet = timeout(Duration::from_secs(1), to_c.next()).await;
    assert!(quiet.is_err(), "carol is told {quiet:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_nats_it_takes_longer_and_comes_all_the_same() {
    let world = World::start(Plan {
        faults: true,
        ..Plan::default()
    })
    .await;
    let author = account(&world, "author").await;
    let client = world.client_of(author);
    let mut stream = live(&client).await;
    for mode in [Mode::Cut, Mode::BlackHole, Mode::Open] {
        world.links["read-api-0"].nats.set(mode);
        let text = format!("{mode:?}");
        let began = Instant::now();
        client.post(&text, None).await.expect(201);
        assert_eq!(next_of(&mut stream, "post").await.data["text"], text);
        println!("NATS {text}: told after {:?}", began.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_stops_ends_its_streams() {
    let mut world = World::start(Plan {
        environment: vec![("STREAMS_MAX_PER_ACCOUNT".to_owned(), "1".to_owned())],
        ..Plan::default()
    })
    .await;
    let client = world.client_of(account(&world, "reader").await);
    let mut stream = live(&client).await;
    let refused = try_live(&client, None).await.expect_err("only one");
    assert_eq!(refused.status(), Some(StatusCode::TOO_MANY_REQUESTS));
    let ended = async {
        while stream.next().await.is_some() {}
        Instant::now()
    };
    let began = Instant::now();
    let (ended, status) = tokio::join!(ended, world.read[0].stop());
    assert!(status.success() && ended - began < Duration::from_secs(5));
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
    // And all is there for who comes back.
    world.read[0].restart().await;
    let id = stream.last_event_id.expect("an id");
    let mut again = try_live(&client, Some(&id)).await.expect("a stream");
    let post = client.post("After", None).await.expect(201).id();
    assert_eq!(next_of(&mut again, "post").await.id(), post.to_string());
    sleep(Duration::from_millis(10)).await;
}
