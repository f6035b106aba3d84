//! The time from a command's answer until its effect is in a feed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::connection::Connection;
use crate::summary::{Recorder, Summary};

/// The pause between two reads of the feed.
const POLL_INTERVAL: Duration = Duration::from_millis(1);
/// An effect that is not there after this time is an error.
const EFFECT_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProbePlan {
    /// The address of write-api.
    pub write: String,
    /// The addresses of all instances of read-api.
    pub reads: Vec<String>,
    pub probes: Vec<Probe>,
    /// The number of concurrent probers.
    pub concurrency: usize,
    /// Seconds between two probes of a prober.
    pub pause: f64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Probe {
    pub command: String,
    pub read: String,
    pub expect: Expect,
}

/// What the answer to the read has after the command.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Expect {
    /// The id of the object that the command created.
    Created,
    Present(String),
    Absent(String),
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ProbeSummary {
    /// The times until the commands were answered.
    pub answered: Summary,
    /// The times from the answers to the effects.
    pub effective: Summary,
}

/// Each probe sends the command, and then polls each instance of read-api in turn until its answer is as expected, with a
/// pause of 1 ms after each response. The time is from the command's answer to the end of the last instance's response:
/// it is too long by at most 1 ms and one request per instance.
pub async fn probe(plan: ProbePlan) -> Result<ProbeSummary> {
    let plan = Arc::new(plan);
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let probers: Vec<_> = (0..plan.concurrency)
        .map(|_| tokio::spawn(prober(plan.clone(), next.clone())))
        .collect();
    let (mut answered, mut effective) = (Vec::new(), Vec::new());
    for prober in probers {
        let [first, second] = prober.await?;
        answered.push(first);
        effective.push(second);
    }
    let elapsed = started.elapsed();
    Ok(ProbeSummary {
        answered: Recorder::merge(answered, elapsed),
        effective: Recorder::merge(effective, elapsed),
    })
}

async fn prober(plan: Arc<ProbePlan>, next: Arc<AtomicUsize>) -> [Recorder; 2] {
    let [mut answered, mut effective] = <[Recorder; 2]>::default();
    let mut write = Connection::new(&plan.write);
    let mut reads: Vec<_> = plan
        .reads
        .iter()
        .map(|read| Connection::new(read))
        .collect();
    while let Some(probe) = plan.probes.get(next.fetch_add(1, Ordering::Relaxed)) {
        match probe_once(&mut write, &mut reads, probe).await {
            Ok([answer, effect]) => {
                answered.latency(answer);
                effective.latency(effect);
            }
            Err(error) => effective.error(format!("{error:#}")),
        }
        tokio::time::sleep(Duration::from_secs_f64(plan.pause)).await;
    }
    [answered, effective]
}

/// Gives the time of the command, and that until all reads show its effect.
async fn probe_once(
    write: &mut Connection,
    reads: &mut [Connection],
    probe: &Probe,
) -> Result<[Duration; 2]> {
    let sent = Instant::now();
    let response = write.send(probe.command.as_bytes()).await?;
    let answered = Instant::now();
    let request_line = || probe.command.lines().next().unwrap_or_default();
    ensure!(
        response.is_success(),
        "{} answered {}",
        request_line(),
        response.status
    );
    let (text, present) = match &probe.expect {
        Expect::Created => {
            let created: serde_json::Value = serde_json::from_slice(write.body())?;
            let id = created["id"].as_str();
            (id.context("the created object has no id")?.to_owned(), true)
        }
        Expect::Present(text) => (text.clone(), true),
        Expect::Absent(text) => (text.clone(), false),
    };
    for read in reads {
        loop {
            let response = read.send(probe.read.as_bytes()).await?;
            ensure!(
                response.status == 200,
                "the read answered {}",
                response.status
            );
            let mut parts = read.body().windows(text.len());
            if parts.any(|part| part == text.as_bytes()) == present {
                break;
            }
            ensure!(
                answered.elapsed() < EFFECT_TIMEOUT,
                "{}: no effect after {EFFECT_TIMEOUT:?}",
                request_line()
            );
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
    Ok([answered - sent, answered.elapsed()])
}
