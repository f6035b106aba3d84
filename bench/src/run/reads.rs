//! Reads whose responses are not cached, compared with the bare loop and with the N+1 backend.
//!
//! read-api caches posts but no responses, as in a cache miss. The notes have the results with the whole cache off, and
//! compared with an N+1 backend that uses one connection for all queries of a request.

use anyhow::Result;
use uuid::Uuid;

use super::{
    context::{Bench, progress},
    database::execute,
    dataset::Dataset,
    endpoints::{self, FEED, INBOX},
    equality,
    process::Process,
    profile,
    row::{Outcome, Runs},
    stack::CacheMode,
};
use crate::{load::Plan, n_plus_one, summary::Summary};

/// read-api's default, which the loop uses too.
fn connections() -> String {
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    (2 * processors).to_string()
}

/// The statement for a page whose posts are cached.
const IDS_STATEMENT: &str = "feed.listed";
/// The statement for a page whose posts are not cached.
const PAGE_STATEMENT: &str = "feed.page";

/// The servers of both sides.
struct Servers {
    read_api: Process,
    /// Without a cache.
    read_api_uncached: Process,
    n_plus_one: Process,
    /// With one connection per request.
    n_plus_one_kept: Process,
}

/// The runs of an endpoint on each server.
#[derive(Default)]
struct EndpointRuns {
    read_api: Runs,
    read_api_uncached: Runs,
    n_plus_one: Runs,
    n_plus_one_kept: Runs,
}

pub async fn measure(bench: &mut Bench) -> Result<Vec<Outcome>> {
    execute(&bench.database.pool, n_plus_one::SCHEMA).await?;
    bench.database.settle().await?;
    let servers = Servers {
        read_api: bench.read_api(CacheMode::OnlyPosts).await?,
        read_api_uncached: bench.read_api(CacheMode::Off).await?,
        n_plus_one: bench.server(&["n-plus-one"], "/health/ready").await?,
        n_plus_one_kept: bench
            .server(&["n-plus-one", "--keep-connection"], "/health/ready")
            .await?,
    };
    equality::check(
        &bench.dataset,
        &servers.read_api,
        &servers.n_plus_one,
        &mut bench.rng,
    )
    .await?;
    // Again, now with cached posts.
    equality::check(
        &bench.dataset,
        &servers.read_api,
        &servers.n_plus_one,
        &mut bench.rng,
    )
    .await?;
    progress("both sides answer equally for 40 viewers");

    let viewers = bench.dataset.some(2_000, &mut bench.rng);
    let inboxes = bench.dataset.inboxes.clone();
    let mut outcomes = Vec::new();
    let endpoints = [
        ("feed", FEED.to_owned(), &viewers),
        ("digest", endpoints::digest(), &viewers),
        ("inbox", INBOX.to_owned(), &inboxes),
    ];
    for (key, path, viewers) in endpoints {
        let with_loop = key == "feed" && bench.wants(&["uncached"]);
        if !with_loop && !bench.wants(&[key]) {
            continue;
        }
        let mut runs = EndpointRuns::default();
        let [mut pooled, mut kept, mut page] = [const { Runs(Vec::new()) }; 3];
        for run in 0..bench.runs {
            let recording = profile::start(bench, &[key, "uncached"], &servers.read_api, run)?;
            runs.read_api
                .push(load_read_api(bench, &servers.read_api, viewers, &path).await?);
            profile::stop(recording).await?;
            if with_loop {
                pooled.push(bare_loop(bench, viewers, IDS_STATEMENT, &[]).await?);
                kept.push(bare_loop(bench, viewers, IDS_STATEMENT, &["--keep-connection"]).await?);
                page.push(bare_loop(bench, viewers, PAGE_STATEMENT, &[]).await?);
            }
            runs.n_plus_one
                .push(load_n_plus_one(bench, &servers.n_plus_one, viewers, &path).await?);
            let uncached = load_read_api(bench, &servers.read_api_uncached, viewers, &path).await?;
            runs.read_api_uncached.push(uncached);
            let kept = load_n_plus_one(bench, &servers.n_plus_one_kept, viewers, &path).await?;
            runs.n_plus_one_kept.push(kept);
        }
        if with_loop {
            let note = format!(
                "{:.2} of a loop whose tasks keep their connections; without cache {:.2} of a loop with its statement",
                runs.read_api.per_second() / kept.per_second(),
                runs.read_api_uncached.per_second() / page.per_second(),
            );
            outcomes.push(Outcome::of_rates("uncached", &runs.read_api, &pooled).with_note(note));
        }
        outcomes.push(runs.outcome(key));
    }
    Ok(outcomes)
}

impl EndpointRuns {
    fn outcome(&self, key: &'static str) -> Outcome {
        let ratios = |ours, other| {
            let outcome = Outcome::of_latencies(key, ours, other);
            outcome.shown.unwrap_or_default()
        };
        let note = format!(
            "{:.0}/s against {:.0}/s; without cache {} times faster; {} times faster than with one connection per request",
            self.read_api.per_second(),
            self.n_plus_one.per_second(),
            ratios(&self.read_api_uncached, &self.n_plus_one),
            ratios(&self.read_api, &self.n_plus_one_kept),
        );
        Outcome::of_latencies(key, &self.read_api, &self.n_plus_one).with_note(note)
    }
}

async fn load_read_api(
    bench: &Bench,
    server: &Process,
    viewers: &[Uuid],
    path: &str,
) -> Result<Summary> {
    let requests = bench.dataset.reads(viewers, path);
    let plan = Plan::new(&[&server.address], requests, bench.seconds);
    bench.stack.load(&plan).await
}

async fn load_n_plus_one(
    bench: &Bench,
    server: &Process,
    viewers: &[Uuid],
    path: &str,
) -> Result<Summary> {
    let requests = Dataset::n_plus_one_reads(viewers, path);
    let plan = Plan::new(&[&server.address], requests, bench.seconds);
    bench.stack.load(&plan).await
}

async fn bare_loop(
    bench: &Bench,
    viewers: &[Uuid],
    statement: &str,
    options: &[&str],
) -> Result<Summary> {
    let (seconds, connections) = (bench.seconds.to_string(), connections());
    let arguments = [
        "--database-url",
        &bench.database.url,
        "--statement",
        statement,
        "--connections",
        &connections,
        "--warm-up",
        "1",
        "--seconds",
        &seconds,
    ];
    let arguments = [&arguments[..], options].concat();
    bench
        .stack
        .measure("bare-reads", &viewers, &arguments)
        .await
}
