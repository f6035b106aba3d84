//! Random faults under load, after which nothing may be lost.
//!
//! - `operation`: a command as a request, and its outcome.
//! - `load`: clients that send random commands, each until it has a definite answer.
//! - `fault`: the faults, and where they are injected.
//! - `effects`: the effects of the answers, compared with the log.
//! - `checks`: what must hold after the end of the faults.

mod checks;
mod effects;
mod fault;
mod load;
mod operation;

use std::time::{Duration, Instant};

use crate::kit::{Stack, StackConfig};
use fault::Injector;
use load::Load;

/// Seeds that once found a defect, with the duration in seconds. They repeat the faults and commands, but not the
/// timing.
pub const REGRESSIONS: &[(u64, u64)] = &[];

#[derive(Debug, Clone, Copy)]
pub struct Torture {
    pub seed: u64,
    pub duration: Duration,
    pub clients: usize,
    pub projectors: usize,
}

impl Torture {
    pub fn new(seed: u64, duration: Duration) -> Self {
        Self {
            seed,
            duration,
            clients: 12,
            projectors: 3,
        }
    }

    /// Runs it and prints what happens. Returns a summary; the error has everything that failed.
    pub async fn run(self) -> Result<String, String> {
        println!(
            "torture: seed {}, {} s, {} clients, 2 write-api, {} projectors, 2 read-api",
            self.seed,
            self.duration.as_secs(),
            self.clients,
            self.projectors
        );
        let mut stack = Stack::start(StackConfig {
            write: 2,
            projectors: self.projectors,
            read: 2,
            feed_depth: 20,
            faults: true,
            ..StackConfig::default()
        })
        .await;
        let load = Load::start(&stack, self.seed, self.clients).await;
        let mut injector = Injector::new(self.seed);
        injector.inject(&mut stack, self.duration).await;
        load.stop();
        let mut failures = injector.heal(&mut stack);
        let healed = Instant::now();
        let reports = load.reports().await;
        let answered = healed.elapsed();
        let summary = checks::run(&stack, &injector, &reports, healed, &mut failures).await;
        let summary = format!(
            "{summary}, all commands answered {:.1} s after the end of the faults",
            answered.as_secs_f64()
        );
        if failures.is_empty() {
            return Ok(summary);
        }
        let logs = stack.keep_logs().display().to_string();
        Err(format!(
            "seed {}: {summary}\n{}\nthe logs are in {logs}",
            self.seed,
            failures.join("\n")
        ))
    }
}
