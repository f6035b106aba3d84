//! The time from a post's acknowledgement until it is in a follower's feed.

use anyhow::Result;
use rand::seq::SliceRandom;
use serde_json::json;

use super::{
    context::Bench,
    endpoints::FEED,
    profile,
    row::{Outcome, Runs},
    stack::CacheMode,
};
use crate::load::{Expect, Plan, Probe, ProbePlan, get, post};

/// The load of commands per second.
const COMMANDS_PER_SECOND: f64 = 300.0;
const PROBES: usize = 150;
/// The targets of p50 and p99 in milliseconds.
const P50_TARGET: f64 = 10.0;
const P99_TARGET: f64 = 50.0;

pub async fn measure(bench: &mut Bench) -> Result<Vec<Outcome>> {
    let read_api = bench.read_api(CacheMode::Default).await?;
    let write = bench.write_api()?.address.clone();
    let (mut probes, mut load) = (Runs::default(), Runs::default());
    for run in 0..bench.runs {
        let follows = bench
            .dataset
            .follows
            .choose_multiple(&mut bench.rng, PROBES);
        let requests = follows.map(|(follower, author)| {
            let body = json!({"text": "Is it there yet?"}).to_string();
            let post = post(0, "/v1/posts", bench.dataset.headers(*author), &body);
            let feed = get(0, FEED, bench.dataset.headers(*follower));
            Probe {
                command: post.bytes,
                read: feed.bytes,
                expect: Expect::Created,
            }
        });
        let probe = ProbePlan {
            write: write.clone(),
            reads: vec![read_api.address.clone()],
            probes: requests.collect(),
            concurrency: 2,
            pause: 0.02,
        };
        let commands = bench.dataset.commands(6_000, &mut bench.rng)?;
        let mut plan = Plan::new(&[&write], bench.dataset.requests(&commands, 0), 6.0);
        plan.rate = Some(COMMANDS_PER_SECOND);
        let recording = profile::start(bench, &["visible"], &read_api, run)?;
        let probing = async {
            // After the warm-up of the load.
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            bench.stack.probe(&probe).await
        };
        let (loaded, probed) = tokio::join!(bench.stack.load(&plan), probing);
        profile::stop(recording).await?;
        load.push(loaded?);
        probes.push(probed?.effective);
    }
    let note = format!(
        "{} probes; load of {:.0} commands/s, answered in {:.1} ms (p50), {:.1} ms (p99)",
        probes.0.iter().map(|run| run.count).sum::<u64>(),
        load.per_second(),
        load.p50(),
        load.p99(),
    );
    let mut outcome = Outcome::of_latencies("visible", &probes, &load).with_note(note);
    outcome.value = (probes.p50() / P50_TARGET).max(probes.p99() / P99_TARGET);
    outcome.shown = Some(format!(
        "{:.2}, {:.2}",
        probes.p50() / P50_TARGET,
        probes.p99() / P99_TARGET
    ));
    outcome.other = format!("{P50_TARGET:.0} ms, {P99_TARGET:.0} ms");
    outcome.latencies = Some([[probes.p50(), probes.p99()], [P50_TARGET, P99_TARGET]]);
    Ok(vec![outcome])
}
