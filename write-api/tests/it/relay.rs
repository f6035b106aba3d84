//! The stream equals the log, in its order, after every fault.

mod fork;
mod late;
mod operator;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use async_nats::jetstream::{self, consumer};
use feedmill_events::{
    Partition,
    mac::LoggedMessage,
    subject::{self, MessageId},
};
use feedmill_service::{Health, NatsArgs, nats, sql};
use feedmill_tests::{
    client::http,
    kit::{Database, Nats, Process, Role, TempFolder, event_key, wait_until_within},
};
use futures::StreamExt;
use sqlx::PgPool;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use write_api::{commit_notifier::CommitNotifier, log::Entry, relay::Relay, secrets::Secrets};

/// Those of the database.
pub fn secrets(database: &Database) -> Secrets {
    let options = sql::options(&database.url_as(Role::WriteApi), "test", None).unwrap();
    let database = feedmill_service::Database::new(options, 1).unwrap();
    Secrets::new(database, Health::new())
}

/// A relay in this process.
struct Running {
    notifier: Arc<CommitNotifier>,
    health: Health,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    async fn start(database: &Database, server: &Nats) -> Self {
        let notifier = Arc::new(CommitNotifier::default());
        let (health, stop) = (Health::new(), CancellationToken::new());
        let nats = nats::connect(&NatsArgs::at(&server.url()), "test")
            .await
            .unwrap();
        let relay = Relay {
            options: database.options_as(Role::WriteApi),
            nats,
            notifier: Arc::clone(&notifier),
            health: health.clone(),
            secrets: secrets(database),
        };
        Self {
            notifier,
            health,
            stop: stop.clone(),
            task: tokio::spawn(relay.run(stop)),
        }
    }

    /// What `/health/ready` says.
    async fn reason(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = self.health.router();
        let served = tokio::spawn(async move { axum::serve(listener, router).await });
        let ready = http().get(format!("http://{address}/health/ready"));
        let body = ready.send().await.unwrap().text().await.unwrap();
        served.abort();
        body
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

/// Appends events to the log as a lane does, and returns the entries that a lane hands over to the relay.
async fn append(pool: &PgPool, partition: i16, count: i64) -> Vec<Entry> {
    append_body(pool, partition, count, 0).await
}

/// The same, with this byte as the body of each.
async fn append_body(pool: &PgPool, partition: i16, count: i64, body: u8) -> Vec<Entry> {
    let sql = "WITH moved AS (
            UPDATE write.partitions SET head = head + $2 WHERE id = $1 RETURNING id, head - $2 AS before
        )
        INSERT INTO write.events (partition, seq, type, at, body)
        SELECT id, before + n, 'post.created', now(), $3 FROM moved, generate_series(1, $2) AS n
        RETURNING seq";
    let seqs: Vec<i64> = sqlx::query_scalar(sql)
        .bind(partition)
        .bind(count)
        .bind(vec![body])
        .fetch_all(pool)
        .await
        .unwrap();
    seqs.into_iter().map(|seq| entry(partition, seq)).collect()
}

fn entry(partition: i16, seq: i64) -> Entry {
    Entry {
        partition: Partition::try_from(partition).unwrap(),
        seq,
        name: "post.created".to_owned(),
        trace: None,
        body: vec![0],
    }
}

async fn head(pool: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT sum(head)::bigint FROM write.partitions")
        .fetch_one(pool)
        .await
        .unwrap()
}

/// The events of the stream and their bodies, in its order.
async fn messages(server: &Nats) -> Vec<(Partition, i64, Vec<u8>)> {
    let jetstream = jetstream::new(server.client().await);
    let mut events = Vec::new();
    let Ok(stream) = jetstream.get_stream(subject::STREAM).await else {
        return events;
    };
    let left = stream.cached_info().state.messages as usize;
    let pull = consumer::pull::Config {
        ack_policy: consumer::AckPolicy::None,
        ..Default::default()
    };
    let consumer = stream.create_consumer(pull).await.unwrap();
    let mut messages = consumer.messages().await.unwrap();
    while events.len() < left {
        let message = messages.next().await.unwrap().unwrap();
        let headers = message.headers.as_ref().unwrap();
        let header = |name| headers.get(name).unwrap().as_str();
        let id = MessageId::parse(header(subject::MESSAGE_ID)).unwrap();
        assert_eq!(message.subject.as_str(), subject::events(id.partition));
        let signed = LoggedMessage {
            partition: id.partition,
            seq: id.seq,
            event_type: header(subject::EVENT_TYPE),
            trace: None,
            body: &message.payload,
        };
        assert!(event_key().verify(&signed, id.signature.unwrap().code));
        events.push((id.partition, id.seq, message.payload.to_vec()));
    }
    events
}

/// The events of each partition, in the order of the stream.
async fn contents(server: &Nats) -> BTreeMap<Partition, Vec<i64>> {
    let mut events: BTreeMap<Partition, Vec<i64>> = BTreeMap::new();
    for (partition, seq, _) in messages(server).await {
        events.entry(partition).or_default().push(seq);
    }
    events
}

async fn stored(server: &Nats) -> u64 {
    let jetstream = jetstream::new(server.client().await);
    let stream = jetstream.get_stream(subject::STREAM).await;
    stream.map_or(0, |stream| stream.cached_info().state.messages)
}

/// Waits until the stream has as many messages as the log has events, and then checks that it has every event once, and each
/// partition in order.
async fn assert_equal(pool: &PgPool, server: &Nats, limit: Duration) {
    wait_until_within("the stream has the whole log", limit, async || {
        stored(server).await >= head(pool).await as u64
    })
    .await;
    let heads: Vec<(i16, i64)> =
        sqlx::query_as("SELECT id, head FROM write.partitions WHERE head > 0")
            .fetch_all(pool)
            .await
            .unwrap();
    let log: BTreeMap<_, Vec<i64>> = heads
        .into_iter()
        .map(|(id, head)| (Partition::try_from(id).unwrap(), (1..=head).collect()))
        .collect();
    assert_eq!(contents(server).await, log);
}

const SOON: Duration = Duration::from_secs(15);

#[tokio::test]
async fn the_stream_becomes_equal_to_the_log() {
    let (database, server) = (Database::with_log().await, Nats::start().await);
    let pool = database.pool.clone();
    append(&pool, 3, 5_000).await;
    append(&pool, 40, 700).await;
    let relay = Running::start(&database, &server).await;
    assert_equal(&pool, &server, SOON).await;
    for partition in 0..64 {
        let events = append(&pool, partition, 1 + i64::from(partition)).await;
        relay.notifier.add(events);
    }
    assert_equal(&pool, &server, SOON).await;
    relay.stop().await;

    // Events that were appended without a relay are published after the next start.
    append(&pool, 3, 10).await;
    append(&pool, 63, 1).await;
    let relay = Running::start(&database, &server).await;
    assert_equal(&pool, &server, SOON).await;
    relay.stop().await;
}

#[tokio::test]
async fn entries_that_were_handed_over_are_not_read_and_missing_ones_are() {
    let (database, server) = (Database::with_log().await, Nats::start().await);
    let pool = database.pool.clone();
    let relay = Running::start(&database, &server).await;
    append(&pool, 5, 1).await;
    assert_equal(&pool, &server, SOON).await;
    // Out of order, twice, and before they are in the log, so that they cannot have been read.
    let handed = [(6, 2), (5, 4), (5, 3), (6, 1), (5, 2), (5, 4)];
    relay
        .notifier
        .add(handed.map(|(partition, seq)| entry(partition, seq)));
    let published = async || stored(&server).await == 6;
    wait_until_within("the entries are published", SOON, published).await;
    append(&pool, 5, 3).await;
    append(&pool, 6, 2).await;
    assert_equal(&pool, &server, SOON).await;
    // Some are never handed over, others late.
    relay.notifier.add(append(&pool, 7, 5).await.split_off(2));
    let mut events = append(&pool, 6, 4).await;
    relay.notifier.add(events.split_off(1));
    assert_equal(&pool, &server, SOON).await;
    relay.notifier.add(events);
    relay.notifier.add(append(&pool, 6, 1).await);
    assert_equal(&pool, &server, SOON).await;
    relay.stop().await;
}

#[tokio::test]
async fn events_committed_before_the_stop_are_published() {
    let (database, server) = (Database::with_log().await, Nats::start().await);
    let pool = database.pool.clone();
    append(&pool, 1, 1).await;
    let relay = Running::start(&database, &server).await;
    assert_equal(&pool, &server, SOON).await;
    append(&pool, 1, 3_000).await;
    relay.stop().await;
    assert_eq!(stored(&server).await, 3_001);
}

#[tokio::test]
async fn nats_may_start_late_and_lose_everything() {
    let (database, mut server) = (Database::with_log().await, Nats::absent());
    let pool = database.pool.clone();
    append(&pool, 9, 100).await;
    let relay = Running::start(&database, &server).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    server.launch().await;
    assert_equal(&pool, &server, SOON).await;
    server.kill();
    server.wipe();
    relay.notifier.add(append(&pool, 10, 100).await);
    server.launch().await;
    assert_equal(&pool, &server, SOON).await;
    relay.stop().await;
}

#[tokio::test]
async fn killing_nats_under_load_loses_no_event_and_keeps_the_order() {
    let (database, mut server) = (Database::with_log().await, Nats::start().await);
    let pool = database.pool.clone();
    let relay = Running::start(&database, &server).await;
    let (notifier, writer_pool) = (Arc::clone(&relay.notifier), pool.clone());
    let writer = tokio::spawn(async move {
        for round in 0..400 {
            notifier.add(append(&writer_pool, round % 7, 50).await);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(700)).await;
        server.kill();
        tokio::time::sleep(Duration::from_millis(200)).await;
        server.launch().await;
    }
    writer.await.unwrap();
    assert_equal(&pool, &server, Duration::from_secs(30)).await;
    relay.stop().await;
}

#[tokio::test]
async fn of_two_instances_one_leads_and_the_other_notifies_it() {
    let (database, server) = (Database::with_log().await, Nats::start().await);
    let pool = database.pool.clone();
    let first = Running::start(&database, &server).await;
    append(&pool, 1, 1).await;
    assert_equal(&pool, &server, SOON).await;
    let second = Running::start(&database, &server).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(leaders(&pool).await.len(), 1);

    // Twenty commits on the follower, one after the other. If the leader only polled once a second, this would take more than
    // ten seconds.
    let started = Instant::now();
    for _ in 0..20 {
        second.notifier.add(append(&pool, 2, 1).await);
        let want = head(&pool).await as u64;
        wait_until_within("the event arrives", SOON, async || {
            stored(&server).await == want
        })
        .await;
    }
    assert!(
        started.elapsed() < Duration::from_secs(6),
        "{:?}",
        started.elapsed()
    );

    // If the leader's connection is lost, an instance leads within five seconds.
    let before = leaders(&pool).await;
    sqlx::query("SELECT pg_terminate_backend($1)")
        .bind(before[0])
        .execute(&pool)
        .await
        .unwrap();
    let after = async || {
        leaders(&pool)
            .await
            .iter()
            .any(|leader| *leader != before[0])
    };
    wait_until_within("somebody leads again", Duration::from_secs(5), after).await;
    append(&pool, 2, 10).await;
    assert_equal(&pool, &server, SOON).await;

    first.stop().await;
    wait_until_within("the other leads", Duration::from_secs(5), async || {
        leaders(&pool).await.len() == 1
    })
    .await;
    append(&pool, 2, 10).await;
    assert_equal(&pool, &server, SOON).await;
    second.stop().await;
}

/// The PostgreSQL processes of the leaders in this database.
async fn leaders(pool: &PgPool) -> Vec<i32> {
    let sql = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND database =
        (SELECT oid FROM pg_database WHERE datname = current_database())";
    sqlx::query_scalar(sql).fetch_all(pool).await.unwrap()
}

/// The binary as a process, which can be stopped with SIGSTOP.
fn process(database: &Database, server: &Nats, folder: &TempFolder) -> Process {
    let program = Path::new(env!("CARGO_BIN_EXE_write-api"));
    let mut process = Process::new("write-api", program, folder.path()).arguments(&[
        "--write-listen",
        "127.0.0.1:0",
        "--write-database-url",
        &database.url_as(Role::WriteApi),
        "--nats-url",
        &server.url(),
        "--auth-key-file",
        &folder.path().join("key.pem").display().to_string(),
        "--admin-listen",
        "127.0.0.1:0",
    ]);
    process.launch();
    process
}

#[tokio::test]
async fn a_hanging_leader_is_replaced_and_does_no_harm_when_it_wakes() {
    let (database, server) = (Database::with_log().await, Nats::start().await);
    let folder = TempFolder::new();
    let pool = database.pool.clone();
    let first = process(&database, &server, &folder);
    append(&pool, 5, 100).await;
    assert_equal(&pool, &server, SOON).await;
    let hanging = leaders(&pool).await;
    let second = Running::start(&database, &server).await;

    assert!(first.signal("STOP"));
    append(&pool, 5, 100).await;
    append(&pool, 6, 100).await;
    let after = async || {
        leaders(&pool)
            .await
            .iter()
            .any(|leader| !hanging.contains(leader))
    };
    wait_until_within("the other leads", Duration::from_secs(6), after).await;
    assert_equal(&pool, &server, SOON).await;

    assert!(first.signal("CONT"));
    for _ in 0..20 {
        second.notifier.add(append(&pool, 5, 100).await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_equal(&pool, &server, SOON).await;
    assert_eq!(leaders(&pool).await.len(), 1);
    second.stop().await;
}
