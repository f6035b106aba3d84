//! Commands and reads at a steady rate against a running Feedmill, and their latencies: what a rebuild or a restart
//! costs its users.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use clap::Parser;
use feedmill_tests::{client::Client, kit::Target, link::LinkKind};
use rand::Rng as _;
use uuid::Uuid;

/// Sends commands and reads to the Feedmill that the environment describes (. .feedmill/env), and prints latencies.
#[derive(Parser)]
struct Arguments {
    /// Duration in seconds
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Commands per second: posts, replies, likes and follows by existing accounts
    #[arg(long, default_value_t = 200)]
    commands: u32,
    /// Reads per second: feeds, digests, conversations, profiles, posts
    #[arg(long, default_value_t = 500)]
    reads: u32,
    /// Accounts that send requests
    #[arg(long, default_value_t = 300)]
    accounts: i64,
    /// Print the latencies of every second too
    #[arg(long)]
    timeline: bool,
}

/// Measurements of one kind of request.
#[derive(Default)]
struct Measurements {
    took: Vec<Duration>,
    /// Since the start of the run.
    began: Vec<Duration>,
    failed: Vec<String>,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let target = Target::attached().await;
    let accounts: Vec<Uuid> =
        sqlx::query_scalar("SELECT id FROM write.accounts ORDER BY id LIMIT $1")
            .bind(arguments.accounts)
            .fetch_all(&target.pool)
            .await
            .expect("the accounts");
    let posts: Vec<Uuid> =
        sqlx::query_scalar("SELECT id FROM write.posts ORDER BY id DESC LIMIT 2000")
            .fetch_all(&target.pool)
            .await
            .expect("the posts");
    assert!(
        accounts.len() > 1 && !posts.is_empty(),
        "there are no accounts or posts: import some first"
    );
    let clients = || {
        Arc::new(
            accounts
                .iter()
                .map(|id| target.client_of(*id))
                .collect::<Vec<_>>(),
        )
    };
    // Two sets of clients, so that a read does not wait for the position of a command.
    let (writers, readers) = (clients(), clients());
    let (accounts, posts) = (Arc::new(accounts), Arc::new(posts));

    let start = Instant::now();
    let end = start + Duration::from_secs(arguments.seconds);
    let (commands, reads) = (
        Arc::new(Mutex::new(Measurements::default())),
        Arc::new(Mutex::new(Measurements::default())),
    );
    let writing = steady(arguments.commands, end, || {
        let (clients, accounts, posts, measured) = (
            writers.clone(),
            accounts.clone(),
            posts.clone(),
            commands.clone(),
        );
        async move { request(start, &measured, command(pick(&clients), &accounts, &posts)).await }
    });
    let reading = steady(arguments.reads, end, || {
        let (clients, accounts, posts, measured) = (
            readers.clone(),
            accounts.clone(),
            posts.clone(),
            reads.clone(),
        );
        async move { request(start, &measured, read(pick(&clients), &accounts, &posts)).await }
    });
    tokio::join!(writing, reading);
    if arguments.timeline {
        timeline(&reads);
    }
    report("commands", &commands);
    report("reads", &reads);
}

/// Starts `rate` tasks per second, whether earlier ones have ended or not, so that the latencies include waiting.
async fn steady<F: Future<Output = ()> + Send + 'static>(
    rate: u32,
    end: Instant,
    start: impl Fn() -> F,
) {
    if rate == 0 {
        return;
    }
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / rate);
    let mut tasks = tokio::task::JoinSet::new();
    while Instant::now() < end {
        ticks.tick().await;
        while tasks.try_join_next().is_some() {}
        // A server that hangs does not get ever more requests.
        if tasks.len() < 2_000 {
            tasks.spawn(start());
        }
    }
    tasks.join_all().await;
}

fn pick<T>(from: &[T]) -> &T {
    &from[rand::thread_rng().gen_range(0..from.len())]
}

async fn command(client: &Client, accounts: &[Uuid], posts: &[Uuid]) -> u16 {
    let (kind, flag) = (rand::random::<u8>() % 4, rand::random::<bool>());
    let answer = match kind {
        0 => client.post("said under load", None).await,
        1 => client.post("answered under load", Some(*pick(posts))).await,
        2 => client.link(LinkKind::Like, *pick(posts), flag).await,
        _ => client.link(LinkKind::Follow, *pick(accounts), flag).await,
    };
    // 422: an account cannot follow itself.
    match answer.status.as_u16() {
        422 => 204,
        status => status,
    }
}

async fn read(client: &Client, accounts: &[Uuid], posts: &[Uuid]) -> u16 {
    let path = match rand::random::<u8>() % 6 {
        0 | 1 => "/v1/feed".to_owned(),
        2 => "/v1/digest?period=week&date=2004-05-12".to_owned(),
        3 => "/v1/conversations".to_owned(),
        4 => format!("/v1/users/{}", pick(accounts)),
        _ => format!("/v1/posts/{}", pick(posts)),
    };
    client.get(&path).await.status.as_u16()
}

async fn request(
    start: Instant,
    measured: &Mutex<Measurements>,
    request: impl Future<Output = u16>,
) {
    let began = Instant::now();
    let status = request.await;
    let took = began.elapsed();
    let mut measured = measured.lock().expect("no panic while it is held");
    measured.took.push(took);
    measured.began.push(began - start);
    if !(200..300).contains(&status) {
        measured.failed.push(status.to_string());
    }
}

fn timeline(measured: &Mutex<Measurements>) {
    let measured = measured.lock().expect("no panic while it is held");
    let mut seconds: BTreeMap<u64, Vec<Duration>> = BTreeMap::new();
    for (began, took) in measured.began.iter().zip(&measured.took) {
        seconds.entry(began.as_secs()).or_default().push(*took);
    }
    for (second, mut took) in seconds {
        took.sort();
        let at = |share: usize| took[took.len() * share / 100].as_secs_f64() * 1e3;
        println!(
            "second {second:3}   p50 {:7.2} ms   p99 {:7.2} ms",
            at(50),
            at(99)
        );
    }
}

fn report(name: &str, measured: &Mutex<Measurements>) {
    let mut measured = measured.lock().expect("no panic while it is held");
    measured.took.sort();
    let at = |share: f64| {
        let last = measured.took.len().saturating_sub(1);
        let index = (last as f64 * share) as usize;
        measured.took.get(index).map_or(0.0, Duration::as_secs_f64) * 1e3
    };
    println!(
        "{name:8} {:6}   p50 {:7.2} ms   p99 {:7.2} ms   longest {:7.2} ms   failed {} {:?}",
        measured.took.len(),
        at(0.5),
        at(0.99),
        at(1.0),
        measured.failed.len(),
        measured.failed.iter().take(5).collect::<Vec<_>>(),
    );
}
