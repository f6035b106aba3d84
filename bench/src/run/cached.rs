//! Cached reads, compared with a bare axum handler that sends the same bytes.

use std::fs;

use anyhow::{Context, Result};
use rand::{Rng, rngs::StdRng, seq::SliceRandom};
use uuid::Uuid;

use super::{
    context::Bench,
    dataset::Dataset,
    endpoints::FEED,
    process::Process,
    profile,
    row::{Outcome, Runs},
    stack::{CacheMode, request},
};
use crate::{
    load::{Plan, Request, get},
    summary::Summary,
};

/// The number of viewers whose feeds are read repeatedly.
const HOT_VIEWERS: usize = 1_000;
/// In the mixed row: fewer, since each post invalidates the feeds of the author's followers.
pub const MIXED_HOT_VIEWERS: usize = 300;
/// The share of commands in all requests.
pub const WRITE_SHARE: f64 = 0.01;

/// The number of requests in a plan, which is repeated.
pub const REQUESTS: usize = 30_000;
/// More reads per second than any server answers: a plan of reads alone must not be repeated, since its new pages would
/// then be cached.
const MAX_READS_PER_SECOND: f64 = 40_000.0;

pub async fn hits(bench: &mut Bench) -> Result<Vec<Outcome>> {
    let read_api = bench.read_api(CacheMode::Default).await?;
    let viewers = bench.dataset.some(HOT_VIEWERS, &mut bench.rng);
    let bare = bare_server(bench, &read_api, viewers[0]).await?;
    let requests = bench.dataset.reads(&viewers, FEED);
    let (mut ours, mut other) = (Runs::default(), Runs::default());
    let mut cpu = [0.0; 2];
    for run in 0..bench.runs {
        for (side, server) in [&read_api, &bare].into_iter().enumerate() {
            let plan = Plan::new(&[&server.address], requests.clone(), bench.seconds);
            let recording = if side == 0 {
                profile::start(bench, &["cached"], server, run)?
            } else {
                None
            };
            let (summary, cpu_per_request) = load_with_cpu(bench, server, &plan).await?;
            profile::stop(recording).await?;
            cpu[side] += cpu_per_request / bench.runs as f64;
            if side == 0 { &mut ours } else { &mut other }.push(summary);
        }
    }
    let note = format!(
        "{}; processor time of the server per request: {:.0} µs against {:.0} µs",
        hit_share(&ours),
        cpu[0],
        cpu[1]
    );
    Ok(vec![
        Outcome::of_rates("cached", &ours, &other).with_note(note),
    ])
}

/// Nine in ten reads are the feeds of a few viewers, the others are pages that were never read before: of other viewers
/// and with other limits. One in a hundred requests is a command of any account: a post, a like, a follow or a message.
/// The note has the result of the reads alone.
pub async fn mixed(bench: &mut Bench) -> Result<Vec<Outcome>> {
    let read_api = bench.read_api(CacheMode::Default).await?;
    let write_api = bench.write_api()?.address.clone();
    let mut mixture = Mixture::new(&bench.dataset, MIXED_HOT_VIEWERS, &mut bench.rng);
    let bare = bare_server(bench, &read_api, mixture.hot[0]).await?;
    let targets: [&str; 2] = [&read_api.address, &write_api];
    // Reads of `hot` viewers whose feeds were invalidated are misses too.
    let (mut ours, mut other, mut new_share) = (Runs::default(), Runs::default(), 0.05);
    let mut attempts = 0;
    let mut run = 0;
    while run < bench.runs {
        let (dataset, rng) = (&bench.dataset, &mut bench.rng);
        let requests = mixture.requests(dataset, REQUESTS, [WRITE_SHARE, new_share], rng)?;
        let plan = Plan::new(&targets, requests, bench.seconds);
        let recording = profile::start(bench, &["mixed"], &read_api, run)?;
        let summary = bench.stack.load(&plan).await?;
        profile::stop(recording).await?;
        bench.database.projected().await?;
        let hits = summary.hit_share().unwrap_or(0.0);
        // Before the first measured run, adjust the share of new pages until nine in ten reads are hits.
        if attempts < 3 && (hits - 0.9).abs() > 0.015 && run == 0 {
            attempts += 1;
            new_share = (new_share + hits - 0.9).clamp(0.001, 0.5);
            continue;
        }
        ours.push(summary);
        let plan = Plan::new(
            &[&bare.address],
            bench.dataset.reads(&mixture.hot, FEED),
            bench.seconds,
        );
        other.push(bench.stack.load(&plan).await?);
        run += 1;
    }
    let count = (MAX_READS_PER_SECOND * (bench.seconds + 1.0)) as usize;
    let requests = mixture.requests(&bench.dataset, count, [0.0, 0.1], &mut bench.rng)?;
    let plan = Plan::new(&targets, requests, bench.seconds);
    let reads_alone = Runs(vec![bench.stack.load(&plan).await?]);
    let note = format!(
        "{}, {} viewers; {:.0}/s without commands, {}",
        hit_share(&ours),
        mixture.hot.len(),
        reads_alone.per_second(),
        hit_share(&reads_alone),
    );
    Ok(vec![
        Outcome::of_rates("mixed", &ours, &other).with_note(note),
    ])
}

/// Random requests of the mixed row.
pub struct Mixture {
    /// The viewers whose feeds are read repeatedly.
    pub hot: Vec<Uuid>,
    /// Pages that were never read before: viewer and limit.
    new: Vec<(Uuid, u32)>,
}

impl Mixture {
    pub fn new(dataset: &Dataset, hot: usize, rng: &mut StdRng) -> Self {
        let hot = dataset.some(hot, rng);
        let viewers = dataset.accounts.iter();
        let mut new: Vec<_> = viewers
            .flat_map(|viewer| (13..28).map(|limit| (*viewer, limit)))
            .collect();
        new.shuffle(rng);
        Self { hot, new }
    }

    /// Reads have target 0, commands 1. `writes` is the share of commands in all requests, `new_share` the share of new
    /// pages in the reads. Errors: no new pages are left.
    pub fn requests(
        &mut self,
        dataset: &Dataset,
        count: usize,
        [writes, new_share]: [f64; 2],
        rng: &mut StdRng,
    ) -> Result<Vec<Request>> {
        let mut requests = Vec::with_capacity(count);
        for _ in 0..count {
            requests.push(if rng.gen_bool(writes) {
                dataset.requests(&dataset.commands(1, rng)?, 1).remove(0)
            } else if rng.gen_bool(new_share) {
                let (viewer, limit) = self.new.pop().context("no new pages are left")?;
                let path = format!("/v1/feed?limit={limit}");
                get(0, &path, dataset.headers(viewer))
            } else {
                let viewer = self.hot.choose(rng).context("no viewer")?;
                get(0, FEED, dataset.headers(*viewer))
            });
        }
        Ok(requests)
    }
}

/// The size of the same pages with and without compression.
pub async fn brotli(bench: &mut Bench) -> Result<Vec<Outcome>> {
    let read_api = bench.read_api(CacheMode::Default).await?;
    let (mut plain, mut compressed) = (0, 0);
    let viewers = bench.dataset.some(50, &mut bench.rng);
    for viewer in &viewers {
        let headers = bench.dataset.headers(*viewer);
        plain += request(&read_api.address, &get(0, FEED, headers))
            .await?
            .1
            .len();
        let headers = format!("{headers}accept-encoding: br\r\n");
        compressed += request(&read_api.address, &get(0, FEED, &headers))
            .await?
            .1
            .len();
    }
    let each = |bytes: usize| format!("{} bytes", bytes / viewers.len());
    Ok(vec![Outcome {
        key: "brotli",
        value: compressed as f64 / plain as f64,
        ours: each(compressed),
        other: each(plain),
        ..Outcome::default()
    }])
}

/// Starts a bare server with a cached response of read-api.
async fn bare_server(bench: &Bench, read_api: &Process, viewer: Uuid) -> Result<Process> {
    let feed = get(0, FEED, bench.dataset.headers(viewer));
    request(&read_api.address, &feed).await?;
    let (head, body) = request(&read_api.address, &feed).await?;
    let file = bench.stack.folder.join("response");
    fs::write(&file, [head, body].concat())?;
    let file = file.display().to_string();
    bench
        .stack
        .server(&bench.database, &["bare-server", &file], "/")
        .await
}

/// Also gives the server's processor time per request in microseconds, including the warm-up.
async fn load_with_cpu(bench: &Bench, server: &Process, plan: &Plan) -> Result<(Summary, f64)> {
    let before = server.cpu()?;
    let summary = bench.stack.load(plan).await?;
    let used = server.cpu()? - before;
    let requests = summary.per_second() * (plan.warm_up + plan.seconds);
    Ok((summary, used * 1e6 / requests))
}

fn hit_share(runs: &Runs) -> String {
    let shares = runs.0.iter().filter_map(Summary::hit_share);
    match super::row::median(shares) {
        share if share.is_nan() => "no X-Cache header in the responses".to_owned(),
        share => format!("{:.1} % hits", share * 100.0),
    }
}
