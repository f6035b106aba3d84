//! The load generator, a separate process. It shares the machine with the server that it measures, so it must be cheap:
//! requests are prepared bytes, only the head of a response is parsed, and two threads serve all connections.

mod connection;
mod plan;
mod probe;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

pub use connection::{Connection, Response};
pub use plan::{Plan, Request, get, post, put_or_delete};
pub use probe::{Expect, Probe, ProbePlan, ProbeSummary, probe};

use crate::summary::{Recorder, Summary};

const THREADS: usize = 2;
/// A connection with this many errors stops: the run has failed.
const MAX_ERRORS: u64 = 20;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Carries out a plan. A latency is the time from the first byte of the request to the last byte of the response. With
/// a rate it starts when the request was due, so that it includes the wait behind slow responses (no coordinated
/// omission).
pub fn run(plan: Plan) -> Result<Summary> {
    anyhow::ensure!(!plan.requests.is_empty(), "the plan has no requests");
    let plan = Arc::new(plan);
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let threads: Vec<_> = (0..THREADS.min(plan.connections))
        .map(|thread| {
            let (plan, next) = (plan.clone(), next.clone());
            std::thread::spawn(move || run_thread(&plan, &next, thread, started))
        })
        .collect();
    let mut all = Vec::new();
    for thread in threads {
        let recorders = thread.join().ok().context("a load thread panicked")??;
        all.extend(recorders);
    }
    let elapsed = if plan.once {
        started.elapsed()
    } else {
        plan.measured()
    };
    Ok(Recorder::merge(all, elapsed))
}

fn run_thread(
    plan: &Arc<Plan>,
    next: &Arc<AtomicUsize>,
    thread: usize,
    started: Instant,
) -> Result<Vec<Recorder>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let tasks: Vec<_> = (thread..plan.connections)
            .step_by(THREADS)
            .map(|_| tokio::spawn(run_connection(plan.clone(), next.clone(), started)))
            .collect();
        let mut all = Vec::new();
        for task in tasks {
            all.push(task.await?);
        }
        Ok(all)
    })
}

/// Sends one request after the other, in the order of the plan, which all connections share.
async fn run_connection(plan: Arc<Plan>, next: Arc<AtomicUsize>, started: Instant) -> Recorder {
    let mut recorder = Recorder::default();
    let mut connections: Vec<Connection> = plan
        .targets
        .iter()
        .map(|target| Connection::new(target))
        .collect();
    let (from, until) = (
        started + plan.warm_up(),
        started + plan.warm_up() + plan.measured(),
    );
    while recorder.errors() < MAX_ERRORS {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if plan.once && number >= plan.requests.len() {
            break;
        }
        let mut due = Instant::now();
        if let Some(rate) = plan.rate {
            due = started + Duration::from_secs_f64(number as f64 / rate);
            tokio::time::sleep_until(due.into()).await;
        }
        if !plan.once && due >= until {
            break;
        }
        let Request { target, bytes } = &plan.requests[number % plan.requests.len()];
        let response = connections[*target].send(bytes.as_bytes());
        let response = tokio::time::timeout(REQUEST_TIMEOUT, response).await;
        let end = Instant::now();
        match response {
            Ok(Ok(response)) if response.is_success() => {
                if plan.once || (end >= from && end < until) {
                    recorder.latency(end - due);
                    recorder.body(response.body, response.hit);
                }
            }
            Ok(Ok(response)) => {
                let body = String::from_utf8_lossy(connections[*target].body());
                recorder.error(format!("{}: {body}", response.status));
            }
            Ok(Err(error)) => recorder.error(format!("{error:#}")),
            Err(_) => recorder.error(format!("no response within {REQUEST_TIMEOUT:?}")),
        }
    }
    recorder
}
