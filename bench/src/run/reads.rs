//! Reads whose responses are not cached, compared with the bare loop and with the N+1 backend.
//!
//! read-api caches posts but no responses, as in a cache miss. The notes have the results with the whole cache off, and
//! compared with an N+1 backend that uses one connection for all queries of a request.

use anyhow::Result;
use uuid::Uuid;

use super::{
    context::{Bench, progress},
    database::{Database, execute},
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
pub struct Servers {
    pub read_api: Process,
    /// Without a cache.
    read_api_uncached: Process,
    pub n_plus_one: Process,
    /// With one connection per request.
    n_plus_one_kept: Process,
}

impl Servers {
    /// Fills the tables of the N+1 backend, and starts it with these options.
    pub async fn start(bench: &Bench, database: &Database, options: &[&str]) -> Result<Self> {
        execute(&database.pool, n_plus_one::SCHEMA).await?;
        database.settle().await?;
        let (stack, write_api) = (&bench.stack, bench.write_api()?);
        let arguments = [&["n-plus-one"], options].concat();
        let kept = [&arguments[..], &["--keep-connection"]].concat();
        let path = "/health/ready";
        Ok(Self {
            read_api: stack
                .read_api(database, write_api, CacheMode::OnlyPosts)
                .await?,
            read_api_uncached: stack.read_api(database, write_api, CacheMode::Off).await?,
            n_plus_one: stack.server(database, &arguments, path).await?,
            n_plus_one_kept: stack.server(database, &kept, path).await?,
        })
    }
}

/// An endpoint, and who reads it.
pub struct Endpoint<'a> {
    /// The row of the comparison with the N+1 backend.
    pub key: &'static str,
    /// The row of the comparison with the bare loop, if there is one.
    pub loop_key: Option<&'static str>,
    pub path: String,
    pub viewers: &'a [Uuid],
}

/// Where an endpoint is read.
pub struct Site<'a> {
    pub servers: &'a Servers,
    pub database: &'a Database,
    pub dataset: &'a Dataset,
}

/// The runs of an endpoint on each server, and of the bare loop.
#[derive(Default)]
struct EndpointRuns {
    read_api: Runs,
    read_api_uncached: Runs,
    n_plus_one: Runs,
    n_plus_one_kept: Runs,
    pooled_loop: Runs,
    /// Its tasks keep their connections.
    kept_loop: Runs,
    /// With the statement for a page whose posts are not cached.
    page_loop: Runs,
}

pub async fn measure(bench: &mut Bench) -> Result<Vec<Outcome>> {
    let servers = Servers::start(bench, &bench.database, &[]).await?;
    // The second time with cached posts.
    for _ in 0..2 {
        equality::check(
            &bench.dataset,
            &servers.read_api,
            &servers.n_plus_one,
            &mut bench.rng,
        )
        .await?;
    }
    progress("both sides answer equally for 40 viewers");

    let viewers = bench.dataset.some(2_000, &mut bench.rng);
    let endpoint = |key, path: String, viewers| Endpoint {
        key,
        loop_key: (key == "feed").then_some("uncached"),
        path,
        viewers,
    };
    let endpoints = [
        endpoint("feed", FEED.to_owned(), &viewers),
        endpoint("digest", endpoints::digest(), &viewers),
        endpoint("inbox", INBOX.to_owned(), &bench.dataset.inboxes),
    ];
    let site = Site {
        servers: &servers,
        database: &bench.database,
        dataset: &bench.dataset,
    };
    let mut outcomes = Vec::new();
    for endpoint in &endpoints {
        outcomes.extend(site.measure(bench, endpoint).await?);
    }
    Ok(outcomes)
}

impl Site<'_> {
    /// The outcomes of an endpoint's rows; none if no row of it is wanted.
    pub async fn measure(&self, bench: &Bench, endpoint: &Endpoint<'_>) -> Result<Vec<Outcome>> {
        let (key, loop_key) = (endpoint.key, endpoint.loop_key);
        let loop_key = loop_key.filter(|loop_key| bench.wants(&[loop_key]));
        if loop_key.is_none() && !bench.wants(&[key]) {
            return Ok(Vec::new());
        }
        let mut runs = EndpointRuns::default();
        let rows: Vec<&str> = [key].into_iter().chain(loop_key).collect();
        let servers = self.servers;
        for run in 0..bench.runs {
            let recording = profile::start(bench, &rows, &servers.read_api, run)?;
            let summary = self.load_read_api(bench, &servers.read_api, endpoint);
            runs.read_api.push(summary.await?);
            profile::stop(recording).await?;
            if loop_key.is_some() {
                for (statement, options, runs) in [
                    (IDS_STATEMENT, &[][..], &mut runs.pooled_loop),
                    (IDS_STATEMENT, &["--keep-connection"], &mut runs.kept_loop),
                    (PAGE_STATEMENT, &[], &mut runs.page_loop),
                ] {
                    let summary = self.bare_loop(bench, endpoint.viewers, statement, options);
                    runs.push(summary.await?);
                }
            }
            let summary = self.load_n_plus_one(bench, &servers.n_plus_one, endpoint);
            runs.n_plus_one.push(summary.await?);
            let summary = self.load_read_api(bench, &servers.read_api_uncached, endpoint);
            runs.read_api_uncached.push(summary.await?);
            let summary = self.load_n_plus_one(bench, &servers.n_plus_one_kept, endpoint);
            runs.n_plus_one_kept.push(summary.await?);
        }
        let of_loop = loop_key.map(|loop_key| runs.outcome_of_loop(loop_key));
        Ok(of_loop.into_iter().chain([runs.outcome(key)]).collect())
    }

    async fn load_read_api(
        &self,
        bench: &Bench,
        server: &Process,
        endpoint: &Endpoint<'_>,
    ) -> Result<Summary> {
        let requests = self.dataset.reads(endpoint.viewers, &endpoint.path);
        let plan = Plan::new(&[&server.address], requests, bench.seconds);
        bench.stack.load(&plan).await
    }

    async fn load_n_plus_one(
        &self,
        bench: &Bench,
        server: &Process,
        endpoint: &Endpoint<'_>,
    ) -> Result<Summary> {
        let requests = Dataset::n_plus_one_reads(endpoint.viewers, &endpoint.path);
        let plan = Plan::new(&[&server.address], requests, bench.seconds);
        bench.stack.load(&plan).await
    }

    async fn bare_loop(
        &self,
        bench: &Bench,
        viewers: &[Uuid],
        statement: &str,
        options: &[&str],
    ) -> Result<Summary> {
        let (seconds, connections) = (bench.seconds.to_string(), connections());
        let arguments = [
            "--database-url",
            &self.database.url,
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

    fn outcome_of_loop(&self, key: &'static str) -> Outcome {
        let note = format!(
            "{:.2} of a loop whose tasks keep their connections; without cache {:.2} of a loop with its statement",
            self.read_api.per_second() / self.kept_loop.per_second(),
            self.read_api_uncached.per_second() / self.page_loop.per_second(),
        );
        Outcome::of_rates(key, &self.read_api, &self.pooled_loop).with_note(note)
    }
}
