//! How soon an acknowledged post is in a follower's feed.

use anyhow::Result;
use rand::seq::SliceRandom;
use serde_json::json;

use super::{
    Bench, profile,
    row::{Outcome, Runs},
    same::FEED,
    stack::Memory,
};
use crate::load::{Plan, ProbePlan, get, post};

/// Commands a second meanwhile.
const RATE: f64 = 300.0;
const PROBES: usize = 150;
/// Milliseconds at most, of the median and of the 99th percentile.
const P50: f64 = 10.0;
const P99: f64 = 50.0;

pub async fn measure(bench: &mut Bench) -> Result<Vec<Outcome>> {
    let read_api = bench.read_api(Memory::Usual).await?;
    let write = bench.write_api()?.address.clone();
    let (mut seen, mut load) = (Runs::default(), Runs::default());
    for run in 0..bench.runs {
        let follows = bench.world.follows.choose_multiple(&mut bench.rng, PROBES);
        let probes = follows.map(|(follower, author)| {
            let body = json!({"text": "Is it there yet?"}).to_string();
            let post = post(0, "/v1/posts", bench.world.signed(*author), &body);
            let feed = get(0, FEED, bench.world.signed(*follower));
            (post.bytes, feed.bytes)
        });
        let probe = ProbePlan {
            write: write.clone(),
            read: read_api.address.clone(),
            probes: probes.collect(),
            at_once: 2,
            pause: 0.02,
        };
        let commands = bench.world.commands(6_000, &mut bench.rng)?;
        let mut plan = Plan::new(&[&write], bench.world.requests(&commands, 0), 6.0);
        plan.rate = Some(RATE);
        let recorded = profile::start(bench, &["visible"], &read_api, run)?;
        let probing = async {
            // Into the load, not before it.
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            bench.stack.measure("probe", &probe, &[]).await
        };
        let (loaded, probed) = tokio::join!(bench.stack.load(&plan), probing);
        profile::end(recorded).await?;
        load.push(loaded?);
        seen.push(probed?);
    }
    let note = format!(
        "{} probes; meanwhile {:.0} commands/s, answered in {:.1} ms (p50), {:.1} ms (p99)",
        seen.0.iter().map(|run| run.count).sum::<u64>(),
        load.per_second(),
        load.p50(),
        load.p99(),
    );
    let mut outcome = Outcome::of_latencies("visible", &seen, &load).noted(note);
    outcome.value = (seen.p50() / P50).max(seen.p99() / P99);
    outcome.shown = Some(format!("{:.2}, {:.2}", seen.p50() / P50, seen.p99() / P99));
    outcome.other = format!("{P50:.0} ms, {P99:.0} ms");
    outcome.latencies = Some([[seen.p50(), seen.p99()], [P50, P99]]);
    Ok(vec![outcome])
}
