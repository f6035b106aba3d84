//! Reads without a cache: against the bare loop, and against the usual backend.

use anyhow::Result;
use uuid::Uuid;

use super::{
    Bench, profile,
    row::{Outcome, Runs},
    same::{self, FEED, INBOX},
    say, stack,
    world::World,
};
use crate::{before, load::Plan};

/// Of read-api by default, of the loop and of the usual backend.
const CONNECTIONS: &str = "16";

pub async fn measure(bench: &mut Bench) -> Result<Vec<Outcome>> {
    stack::execute(&bench.database.pool, before::SCHEMA).await?;
    bench.database.settle().await?;
    let read_api = bench.read_api(Some(0)).await?;
    let usual = ["before", "--connections", CONNECTIONS];
    let usual = bench.stack.server(&bench.database, &usual, "/health/ready");
    let usual = usual.await?;
    same::answers(&bench.world, &read_api, &usual, &mut bench.rng).await?;
    say("both sides give the same answers, for 40 viewers");

    let viewers = bench.world.some(2_000, &mut bench.rng);
    let inboxes = bench.world.inboxes.clone();
    let mut outcomes = Vec::new();
    let kinds = [
        ("feed", FEED.to_owned(), &viewers),
        ("digest", same::digest(), &viewers),
        ("inbox", INBOX.to_owned(), &inboxes),
    ];
    for (key, path, viewers) in kinds {
        let with_loop = key == "feed" && bench.wants(&["uncached"]);
        if !with_loop && !bench.wants(&[key]) {
            continue;
        }
        let (mut ours, mut other, mut bare) = (Runs::default(), Runs::default(), Runs::default());
        for run in 0..bench.runs {
            let requests = bench.world.reads(viewers, &path);
            let plan = Plan::new(&[&read_api.address], requests, bench.seconds);
            let recorded = profile::start(bench, &[key, "uncached"], &read_api, run)?;
            ours.push(bench.stack.load(&plan).await?);
            profile::end(recorded).await?;
            if with_loop {
                bare.push(bare_loop(bench, viewers).await?);
            }
            let requests = World::reads_before(viewers, &path);
            let plan = Plan::new(&[&usual.address], requests, bench.seconds);
            other.push(bench.stack.load(&plan).await?);
        }
        if with_loop {
            outcomes.push(Outcome::of_rates("uncached", &ours, &bare));
        }
        let rates = format!(
            "{:.0}/s against {:.0}/s",
            ours.per_second(),
            other.per_second()
        );
        outcomes.push(Outcome::of_latencies(key, &ours, &other).noted(rates));
    }
    Ok(outcomes)
}

async fn bare_loop(bench: &Bench, viewers: &[Uuid]) -> Result<crate::summary::Summary> {
    let seconds = bench.seconds.to_string();
    let more = [
        "--database-url",
        &bench.database.url,
        "--connections",
        CONNECTIONS,
        "--warm-up",
        "1",
        "--seconds",
        &seconds,
    ];
    bench.stack.measure("floor-reads", &viewers, &more).await
}
