//! Reads from memory, against a bare axum handler that sends the same bytes.

use std::fs;

use anyhow::{Context, Result};
use rand::{Rng, seq::SliceRandom};
use uuid::Uuid;

use super::{
    Bench,
    process::Process,
    profile,
    row::{Outcome, Runs},
    same::FEED,
    stack::{Memory, ask},
};
use crate::{
    load::{Plan, Request, get},
    summary::Summary,
};

/// How many feeds are asked for again and again.
const HOT: usize = 1_000;
/// Of the mixed row: fewer, since each post of somebody drops the feeds of whoever follows them.
const HOT_MIXED: usize = 300;
/// So many of a hundred requests are commands.
const WRITES: f64 = 0.01;

/// Requests of the plan; it begins again after the last.
const REQUESTS: usize = 30_000;
/// So many a second are more than there will be: a plan of reads alone must not begin again, or its new pages would
/// be new no more.
const READS_A_SECOND: f64 = 40_000.0;

pub async fn hits(bench: &mut Bench) -> Result<Vec<Outcome>> {
    let read_api = bench.read_api(Memory::Usual).await?;
    let viewers = bench.world.some(HOT, &mut bench.rng);
    let floor = floor(bench, &read_api, viewers[0]).await?;
    let requests = bench.world.reads(&viewers, FEED);
    let (mut ours, mut other) = (Runs::default(), Runs::default());
    let mut cpu = [0.0; 2];
    for run in 0..bench.runs {
        for (side, server) in [&read_api, &floor].into_iter().enumerate() {
            let plan = Plan::new(&[&server.address], requests.clone(), bench.seconds);
            let recorded = if side == 0 {
                profile::start(bench, &["cached"], server, run)?
            } else {
                None
            };
            let (summary, each) = with_cpu(bench, server, &plan).await?;
            profile::end(recorded).await?;
            cpu[side] += each / bench.runs as f64;
            if side == 0 { &mut ours } else { &mut other }.push(summary);
        }
    }
    let note = format!(
        "{}; processor time of the server a request: {:.0} µs against {:.0} µs",
        hit_share(&ours),
        cpu[0],
        cpu[1]
    );
    Ok(vec![Outcome::of_rates("cached", &ours, &other).noted(note)])
}

/// Nine reads in ten are of few viewers, the others of pages that nobody has asked for: other viewers, other
/// lengths. One request in a hundred is a command of anybody: a post, a like, a follow, a message. What comes of
/// the reads alone is in the note.
pub async fn mixed(bench: &mut Bench) -> Result<Vec<Outcome>> {
    let read_api = bench.read_api(Memory::Usual).await?;
    let write_api = bench.write_api()?.address.clone();
    let hot = bench.world.some(HOT_MIXED, &mut bench.rng);
    let floor = floor(bench, &read_api, hot[0]).await?;
    let mut new: Vec<(Uuid, u32)> = bench
        .world
        .accounts
        .iter()
        .flat_map(|viewer| (13..28).map(|limit| (*viewer, limit)))
        .collect();
    new.shuffle(&mut bench.rng);
    let targets: [&str; 2] = [&read_api.address, &write_api];
    // Those of `hot` that were dropped are misses too.
    let (mut ours, mut other, mut share_new) = (Runs::default(), Runs::default(), 0.05);
    let mut tried = Vec::new();
    let mut run = 0;
    while run < bench.runs {
        let requests = mixture(bench, REQUESTS, &hot, &mut new, [WRITES, share_new])?;
        let plan = Plan::new(&targets, requests, bench.seconds);
        let recorded = profile::start(bench, &["mixed"], &read_api, run)?;
        let summary = bench.stack.load(&plan).await?;
        profile::end(recorded).await?;
        bench.database.projected().await?;
        let hits = summary.hit_share().unwrap_or(0.0);
        // Before the first run that counts: as many new pages as leave nine hits in ten.
        if tried.len() < 3 && (hits - 0.9).abs() > 0.015 && run == 0 {
            tried.push(hits);
            share_new = (share_new + hits - 0.9).clamp(0.001, 0.5);
            continue;
        }
        ours.push(summary);
        let plan = Plan::new(
            &[&floor.address],
            bench.world.reads(&hot, FEED),
            bench.seconds,
        );
        other.push(bench.stack.load(&plan).await?);
        run += 1;
    }
    let enough = (READS_A_SECOND * (bench.seconds + 1.0)) as usize;
    let requests = mixture(bench, enough, &hot, &mut new, [0.0, 0.1])?;
    let plan = Plan::new(&targets, requests, bench.seconds);
    let reads_alone = Runs(vec![bench.stack.load(&plan).await?]);
    let note = format!(
        "{}, {} viewers; {:.0}/s without the commands, {}",
        hit_share(&ours),
        hot.len(),
        reads_alone.per_second(),
        hit_share(&reads_alone),
    );
    Ok(vec![Outcome::of_rates("mixed", &ours, &other).noted(note)])
}

/// `shares` are those of commands, and of new pages among the reads.
fn mixture(
    bench: &mut Bench,
    count: usize,
    hot: &[Uuid],
    new: &mut Vec<(Uuid, u32)>,
    [writes, share_new]: [f64; 2],
) -> Result<Vec<Request>> {
    let mut requests = Vec::with_capacity(count);
    for _ in 0..count {
        requests.push(if bench.rng.gen_bool(writes) {
            let command = bench.world.commands(1, &mut bench.rng)?;
            bench.world.requests(&command, 1).remove(0)
        } else if bench.rng.gen_bool(share_new) {
            let (viewer, limit) = new.pop().context("no more new pages")?;
            let path = format!("/v1/feed?limit={limit}");
            get(0, &path, bench.world.signed(viewer))
        } else {
            let viewer = hot.choose(&mut bench.rng).context("a viewer")?;
            get(0, FEED, bench.world.signed(*viewer))
        });
    }
    Ok(requests)
}

/// The bytes of the same pages in both forms.
pub async fn brotli(bench: &mut Bench) -> Result<Vec<Outcome>> {
    let read_api = bench.read_api(Memory::Usual).await?;
    let (mut plain, mut packed) = (0, 0);
    let viewers = bench.world.some(50, &mut bench.rng);
    for viewer in &viewers {
        let signed = bench.world.signed(*viewer);
        plain += ask(&read_api.address, &get(0, FEED, signed)).await?.1.len();
        let headers = format!("{signed}accept-encoding: br\r\n");
        packed += ask(&read_api.address, &get(0, FEED, &headers))
            .await?
            .1
            .len();
    }
    let each = |bytes: usize| format!("{} bytes", bytes / viewers.len());
    Ok(vec![Outcome {
        key: "brotli",
        value: packed as f64 / plain as f64,
        ours: each(packed),
        other: each(plain),
        ..Outcome::default()
    }])
}

/// A server of one of the answers, as it comes from the cache.
async fn floor(bench: &Bench, read_api: &Process, viewer: Uuid) -> Result<Process> {
    let request: Request = get(0, FEED, bench.world.signed(viewer));
    ask(&read_api.address, &request).await?;
    let (head, body) = ask(&read_api.address, &request).await?;
    let file = bench.stack.folder.join("answer");
    fs::write(&file, [head, body].concat())?;
    let file = file.display().to_string();
    bench
        .stack
        .server(&bench.database, &["floor", &file], "/")
        .await
}

/// Also the server's processor time a request, in microseconds, the warm-up's requests counted by their share.
async fn with_cpu(bench: &Bench, server: &Process, plan: &Plan) -> Result<(Summary, f64)> {
    let before = server.cpu()?;
    let summary = bench.stack.load(plan).await?;
    let used = server.cpu()? - before;
    let requests = summary.per_second() * (plan.warm_up + plan.seconds);
    Ok((summary, used * 1e6 / requests))
}

fn hit_share(runs: &Runs) -> String {
    let shares = runs.0.iter().filter_map(Summary::hit_share);
    match super::row::median(shares) {
        share if share.is_nan() => "the answers do not say whether they were hits".to_owned(),
        share => format!("{:.1} % hits", share * 100.0),
    }
}
