//! A client that reconnects again and again receives every item of the lists.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use feedmill_tests::{
    client::Client,
    kit::{Stack, StackConfig, setting},
    link::LinkKind,
    log,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::support::{account, open};

/// The reader follows all of them, but unfollows some of the last half now and then.
const AUTHORS: usize = 8;
const COMMANDS: usize = 400;

/// The [`key`]s of the items that the reader has received, on any connection.
type Received = Arc<Mutex<BTreeSet<String>>>;

/// Identifies an item: its id, or for a notification what it is about. A follow that is undone and made again has another
/// id, but is sent once.
fn key(item: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    if item["type"].is_null() {
        text(&item["id"])
    } else {
        let parts = [&item["type"], &item["actor"]["id"], &item["post"]["id"]];
        parts.map(text).join(" ")
    }
}

/// Reads streams until `stop` and until nothing arrives any more. It disconnects now and then, and reconnects to any
/// instance. Returns the number of connections.
async fn reader(
    clients: Vec<Client>,
    mut last_event_id: Option<String>,
    received: Received,
    stop: Arc<AtomicBool>,
    seed: u64,
) -> usize {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut connections = 0;
    loop {
        let client = &clients[rng.gen_range(0..clients.len())];
        let Ok(mut stream) = client.stream(last_event_id.as_deref()).await else {
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        connections += 1;
        let stopping = stop.load(Ordering::SeqCst);
        let mut here = BTreeSet::new();
        let reading = async {
            while let Some(event) = stream.next().await {
                let items = match event.name.as_str() {
                    "unread" | "gone" => BTreeSet::new(),
                    // Posts were deleted, or an author was unfollowed, while no stream was open.
                    "reset" => {
                        assert_eq!(event.data["lists"], json!(["feed"]));
                        listed(client, "/v1/feed").await
                    }
                    name => {
                        let item = key(&event.data);
                        // Posts of an author who is followed again arrive again.
                        let first = here.insert(item.clone());
                        assert!(first || name == "post", "received twice: {event:?}");
                        BTreeSet::from([item])
                    }
                };
                received
                    .lock()
                    .expect("no panic while it is held")
                    .extend(items);
            }
        };
        let stay = if stopping {
            4_000
        } else {
            rng.gen_range(0..700)
        };
        timeout(Duration::from_millis(stay), reading).await.ok();
        last_event_id = stream.last_event_id.or(last_event_id);
        if stopping {
            return connections;
        }
    }
}

/// The keys of all items of a list.
async fn listed(client: &Client, path: &str) -> BTreeSet<String> {
    let items = client.items(path).await.expect("the list");
    items.iter().map(key).collect()
}

/// Sends random commands and kills the projector meanwhile, so that partitions catch up one after the other.
async fn write(
    stack: &mut Stack,
    reader: Uuid,
    authors: &[Uuid],
    conversations: &[Uuid],
    seed: u64,
) {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut posts = vec![];
    for command in 0..COMMANDS {
        if command % 100 == 40 {
            stack.projectors[0].kill();
        }
        if command % 100 == 60 {
            // Once for longer than the overlap of what a stream reads again.
            let down = if command == 160 { 12_000 } else { 300 };
            sleep(Duration::from_millis(down)).await;
            stack.projectors[0].launch();
        }
        let author = rng.gen_range(0..authors.len());
        let client = stack.client_of(authors[author]);
        match rng.gen_range(0..10) {
            0..=3 => {
                let post = client.post(&format!("post {command}"), None).await;
                posts.push(post.expect(201).id());
            }
            4..=6 => {
                let text = format!("message {command}");
                client
                    .send_message(conversations[author], &text)
                    .await
                    .expect(201);
            }
            7 => {
                let own = stack.client_of(reader).post("mine", None).await;
                let own = own.expect(201).id();
                client.post("an answer", Some(own)).await.expect(201);
                client.like(own).await.expect(204);
            }
            8 => {
                client
                    .link(LinkKind::Follow, reader, rng.gen_bool(0.7))
                    .await
                    .expect(204);
            }
            _ => {
                let author = authors[AUTHORS / 2 + author / 2];
                let follows = rng.gen_bool(0.7);
                let reader = stack.client_of(reader);
                reader
                    .link(LinkKind::Follow, author, follows)
                    .await
                    .expect(204);
            }
        }
        sleep(Duration::from_millis(rng.gen_range(0..20))).await;
    }
}

/// `STREAM_SEEDS` makes the test longer.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reconnects_misses_nothing() {
    let seeds = setting("STREAM_SEEDS").map_or(1, |text| text.parse().expect("a number"));
    for seed in (20_261_121..).take(seeds) {
        check_seed(seed).await;
    }
}

async fn check_seed(seed: u64) {
    let mut stack = Stack::start(StackConfig {
        read: 2,
        // So that posts fall below the floor of feeds at once, and every author's posts are pulled.
        feed_depth: 3,
        fanout_max_followers: 0,
        ..StackConfig::default()
    })
    .await;
    let me = account(&stack, "reader").await;
    let mine = stack.client_of(me);
    let (mut authors, mut conversations) = (vec![], vec![]);
    for n in 0..AUTHORS {
        let author = account(&stack, &format!("author{n}")).await;
        mine.follow(author).await.expect(204);
        conversations.push(
            mine.create_conversation(&[author], None)
                .await
                .expect(201)
                .id(),
        );
        authors.push(author);
    }
    mine.wait_for(&log::heads(&stack.pool).await.expect("the heads"));
    mine.get("/v1/feed").await.expect(200);

    let received = Received::default();
    let stop = Arc::new(AtomicBool::new(false));
    let clients = stack.read.iter().zip(&stack.target.read);
    let clients: Vec<_> = clients.map(|(_, url)| mine.with_read(url)).collect();
    let id = open(&clients[0]).await.last_event_id;
    let reading = reader(clients, id, Arc::clone(&received), Arc::clone(&stop), seed);
    let reading = tokio::spawn(reading);
    write(&mut stack, me, &authors, &conversations, seed).await;

    let heads = log::heads(&stack.pool).await.expect("the heads");
    mine.wait_for(&heads);
    let mut lists = vec!["/v1/feed".to_owned(), "/v1/notifications".to_owned()];
    lists.extend(
        conversations
            .iter()
            .map(|id| format!("/v1/conversations/{id}/messages")),
    );
    let mut expected = BTreeSet::new();
    for list in &lists {
        expected.append(&mut listed(&mine, list).await);
    }
    stop.store(true, Ordering::SeqCst);
    let connections = reading.await.expect("a reader that did not panic");
    let received = received.lock().expect("no panic while it is held");
    let missing: Vec<_> = expected.difference(&received).collect();
    println!("{} items, {connections} connections", expected.len());
    assert!(
        missing.is_empty(),
        "seed {seed}: {} are missing: {missing:?}",
        missing.len()
    );
    assert!(expected.len() > 200 && connections > 10);
}
