//! Everything goes wrong, under load, and nothing may be lost.
//!
//! - [`load`]: clients that give random commands until each has a definite answer.
//! - [`wish`]: one command, as a request and as what the log must show for it.
//! - [`ledger`]: what was answered, against the log.
//! - [`fault`]: what goes wrong, and where.
//! - [`verdict`]: what must hold once all is healed.

mod fault;
mod ledger;
mod load;
mod verdict;
mod wish;

use std::time::{Duration, Instant};

use crate::harness::{Plan, World};
use fault::Chaos;
use load::Load;

/// Seeds that once found a defect, with the seconds that it took. Faults and commands come again as they
/// were, but not what the machine makes of them.
pub const REGRESSIONS: &[(u64, u64)] = &[];

/// How long after the end of all faults everything may take to be as if nothing had been.
const CONVERGENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy)]
pub struct Torture {
    pub seed: u64,
    pub time: Duration,
    pub clients: usize,
    pub projectors: usize,
}

impl Torture {
    pub fn new(seed: u64, time: Duration) -> Self {
        Self {
            seed,
            time,
            clients: 12,
            projectors: 3,
        }
    }

    /// Runs it, telling on standard output what happens. Returns the verdict; the error has everything that
    /// was not as it must be.
    pub async fn run(self) -> Result<String, String> {
        println!(
            "torture: seed {}, {} s, {} clients, 2 write-api, {} projectors, 2 read-api",
            self.seed,
            self.time.as_secs(),
            self.clients,
            self.projectors
        );
        let mut world = World::start(Plan {
            write: 2,
            projectors: self.projectors,
            read: 2,
            feed_depth: 20,
            faults: true,
            ..Plan::default()
        })
        .await;
        let load = Load::start(&world, self.seed, self.clients).await;
        let mut chaos = Chaos::new(self.seed, &world);
        chaos.rage(&mut world, self.time).await;
        load.stop();
        let mut wrong = chaos.heal(&mut world);
        let healed = Instant::now();
        let reports = load.reports().await;
        let settled = healed.elapsed();
        let verdict = verdict::of(&world, &chaos, &reports, healed, &mut wrong).await;
        let verdict = format!(
            "{verdict}, all commands answered {:.1} s after the end of the faults",
            settled.as_secs_f64()
        );
        if wrong.is_empty() {
            return Ok(verdict);
        }
        let logs = world.keep_logs().display().to_string();
        Err(format!(
            "seed {}: {verdict}\n{}\nthe logs are in {logs}",
            self.seed,
            wrong.join("\n")
        ))
    }
}
