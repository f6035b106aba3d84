//! Whatever a client of streams goes through, it gets all that is in the lists.

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
    harness::{Plan, World, setting},
    log,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::{account, live, try_live};

/// The reader follows all of them, and now and then not the last half.
const AUTHORS: usize = 8;
const COMMANDS: usize = 400;

/// What the reader has been told, on any connection.
type Told = Arc<Mutex<BTreeSet<String>>>;

/// Reads streams until `stop` and nothing comes any more; now and then it leaves, and comes back to any instance.
/// Returns how often.
async fn reader(
    clients: Vec<Client>,
    mut last_event_id: Option<String>,
    told: Told,
    stop: Arc<AtomicBool>,
    seed: u64,
) -> usize {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut connections = 0;
    loop {
        let client = &clients[rng.gen_range(0..clients.len())];
        let Ok(mut live) = try_live(client, last_event_id.as_deref()).await else {
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        connections += 1;
        let stopping = stop.load(Ordering::SeqCst);
        let mut here = BTreeSet::new();
        let reading = async {
            while let Some(event) = live.next().await {
                assert_ne!(event.name, "reset", "{event:?}");
                if event.name != "unread" {
                    let id = event.id().to_owned();
                    // The posts of somebody who is followed again come again.
                    let first = here.insert(id.clone());
                    assert!(first || event.name == "post", "again: {event:?}");
                    told.lock().expect("a sound lock").insert(id);
                }
            }
        };
        let stay = if stopping {
            4_000
        } else {
            rng.gen_range(0..700)
        };
        timeout(Duration::from_millis(stay), reading).await.ok();
        last_event_id = live.last_event_id.or(last_event_id);
        if stopping {
            return connections;
        }
    }
}

/// All ids of a list.
async fn listed(client: &Client, path: &str) -> BTreeSet<String> {
    let (mut ids, mut next) = (BTreeSet::new(), format!("{path}?limit=100"));
    loop {
        let page = client.get(&next).await.expect(200).json();
        let items = page["items"].as_array().expect("items");
        ids.extend(
            items
                .iter()
                .map(|item| item["id"].as_str().expect("an id").to_owned()),
        );
        let Some(cursor) = page["next_cursor"].as_str() else {
            return ids;
        };
        next = format!("{path}?limit=100&cursor={cursor}");
    }
}

/// Writes at random, and has the projector killed in the middle of it, so that partitions catch up one after the
/// other.
async fn write(world: &mut World, reader: Uuid, authors: &[Uuid], talks: &[Uuid], seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut posts = vec![];
    for command in 0..COMMANDS {
        if command % 100 == 40 {
            world.projectors[0].kill();
        }
        if command % 100 == 60 {
            // Longer than the overlap in which a stream reads again what it has read.
            let down = if command == 160 { 12_000 } else { 300 };
            sleep(Duration::from_millis(down)).await;
            world.projectors[0].launch();
        }
        let author = rng.gen_range(0..authors.len());
        let client = world.client_of(authors[author]);
        match rng.gen_range(0..10) {
            0..=3 => {
                let post = client.post(&format!("post {command}"), None).await;
                posts.push(post.expect(201).id());
            }
            4..=6 => {
                let text = format!("message {command}");
                client.send_message(talks[author], &text).await.expect(201);
            }
            7 => {
                let own = world.client_of(reader).post("mine", None).await;
                let own = own.expect(201).id();
                client.post("an answer", Some(own)).await.expect(201);
                client.like(own, true).await.expect(204);
            }
            8 => {
                client.follow(reader, rng.gen_bool(0.7)).await.expect(204);
            }
            _ => {
                let author = authors[AUTHORS / 2 + author / 2];
                let follows = rng.gen_bool(0.7);
                let reader = world.client_of(reader);
                reader.follow(author, follows).await.expect(204);
            }
        }
        sleep(Duration::from_millis(rng.gen_range(0..20))).await;
    }
}

/// `STREAM_SEEDS` makes it longer.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_out_however_often_a_client_comes_back() {
    let seeds = setting("STREAM_SEEDS").map_or(1, |text| text.parse().expect("a number"));
    for seed in (20_261_121..).take(seeds) {
        nothing_is_left_out(seed).await;
    }
}

async fn nothing_is_left_out(seed: u64) {
    let mut world = World::start(Plan {
        read: 2,
        // Posts go below the floor of feeds at once, and authors from pushed to pulled and back.
        feed_depth: 3,
        fanout_max_followers: 0,
        ..Plan::default()
    })
    .await;
    let me = account(&world, "reader").await;
    let mine = world.client_of(me);
    let (mut authors, mut talks) = (vec![], vec![]);
    for n in 0..AUTHORS {
        let author = account(&world, &format!("author{n}")).await;
        mine.follow(author, true).await.expect(204);
        talks.push(
            mine.create_conversation(&[author], None)
                .await
                .expect(201)
                .id(),
        );
        authors.push(author);
    }
    mine.wait_for(&log::heads(&world.pool).await.expect("the heads"));
    mine.get("/v1/feed").await.expect(200);

    let told = Told::default();
    let stop = Arc::new(AtomicBool::new(false));
    let clients = world.read.iter().zip(&world.stack.read);
    let clients: Vec<_> = clients.map(|(_, url)| mine.with_read(url)).collect();
    let id = live(&clients[0]).await.last_event_id;
    let reading = reader(clients, id, Arc::clone(&told), Arc::clone(&stop), seed);
    let reading = tokio::spawn(reading);
    write(&mut world, me, &authors, &talks, seed).await;

    let heads = log::heads(&world.pool).await.expect("the heads");
    mine.wait_for(&heads);
    let mut lists = vec!["/v1/feed".to_owned(), "/v1/notifications".to_owned()];
    lists.extend(
        talks
            .iter()
            .map(|talk| format!("/v1/conversations/{talk}/messages")),
    );
    let mut expected = BTreeSet::new();
    for list in &lists {
        expected.append(&mut listed(&mine, list).await);
    }
    stop.store(true, Ordering::SeqCst);
    let connections = reading.await.expect("a reader without complaints");
    let told = told.lock().expect("a sound lock");
    let missing: Vec<_> = expected.difference(&told).collect();
    println!("{} items, {connections} connections", expected.len());
    assert!(
        missing.is_empty(),
        "seed {seed}: {} are missing: {missing:?}",
        missing.len()
    );
    assert!(expected.len() > 200 && connections > 10);
}
