//! The load generator, a process of its own. It shares the machine with what it measures, so it has to be
//! cheap: requests are bytes that were made before, answers are looked at no more than is needed, and two
//! threads (one a core here) hold all connections.

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

pub use connection::{Answer, Connection};
pub use plan::{Plan, Request, get, post, put_or_delete};
pub use probe::{ProbePlan, probe};

use crate::summary::{Seen, Summary};

const THREADS: usize = 2;
/// A connection with so many failures in a run gives up: the run has failed anyhow.
const MOST_ERRORS: u64 = 20;
const PATIENCE: Duration = Duration::from_secs(30);

/// Carries out a plan. Latencies are from the request's first byte to the answer's last; with a rate, from
/// when the request was due, so that a slow answer shows in what it makes others wait.
pub fn run(plan: Plan) -> Result<Summary> {
    anyhow::ensure!(!plan.requests.is_empty(), "a plan without requests");
    let plan = Arc::new(plan);
    let next = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();
    let threads: Vec<_> = (0..THREADS.min(plan.connections))
        .map(|thread| {
            let (plan, next) = (plan.clone(), next.clone());
            std::thread::spawn(move || one_thread(&plan, &next, thread, begun))
        })
        .collect();
    let mut all = Vec::new();
    for thread in threads {
        let seen = thread.join().ok().context("a load thread panicked")??;
        all.extend(seen);
    }
    let elapsed = if plan.once {
        begun.elapsed()
    } else {
        plan.measured()
    };
    Ok(Seen::together(all, elapsed))
}

fn one_thread(
    plan: &Arc<Plan>,
    next: &Arc<AtomicUsize>,
    thread: usize,
    begun: Instant,
) -> Result<Vec<Seen>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let tasks: Vec<_> = (thread..plan.connections)
            .step_by(THREADS)
            .map(|_| tokio::spawn(one_connection(plan.clone(), next.clone(), begun)))
            .collect();
        let mut all = Vec::new();
        for task in tasks {
            all.push(task.await?);
        }
        Ok(all)
    })
}

/// One request after the other, taken from the plan in its order, which all connections share.
async fn one_connection(plan: Arc<Plan>, next: Arc<AtomicUsize>, begun: Instant) -> Seen {
    let mut seen = Seen::default();
    let mut connections: Vec<Connection> = plan
        .targets
        .iter()
        .map(|target| Connection::to(target))
        .collect();
    let (from, until) = (
        begun + plan.warm_up(),
        begun + plan.warm_up() + plan.measured(),
    );
    while seen.errors() < MOST_ERRORS {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if plan.once && number >= plan.requests.len() {
            break;
        }
        let mut due = Instant::now();
        if let Some(rate) = plan.rate {
            due = begun + Duration::from_secs_f64(number as f64 / rate);
            tokio::time::sleep_until(due.into()).await;
        }
        if !plan.once && due >= until {
            break;
        }
        let Request { target, bytes } = &plan.requests[number % plan.requests.len()];
        let answer = connections[*target].ask(bytes.as_bytes());
        let answer = tokio::time::timeout(PATIENCE, answer).await;
        let end = Instant::now();
        match answer {
            Ok(Ok(answer)) if answer.is_good() => {
                if plan.once || (end >= from && end < until) {
                    seen.took(end - due);
                    seen.body(answer.body, answer.hit);
                }
            }
            Ok(Ok(answer)) => {
                let body = String::from_utf8_lossy(connections[*target].body());
                seen.failed(format!("{}: {body}", answer.status));
            }
            Ok(Err(error)) => seen.failed(format!("{error:#}")),
            Err(_) => seen.failed(format!("no answer within {PATIENCE:?}")),
        }
    }
    seen
}
