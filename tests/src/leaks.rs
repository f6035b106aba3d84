//! The leak test: a reader whose rights change all the time asks for everything by every route, and must get exactly what the oracle
//! says, from the position of the change on. What the reader may not see must answer as what never existed.
//!
//! - `scene`: three accounts with a thread, the oracle, and random changes of the reader's rights.
//! - `probe`: one request in all its forms: with the position, from the cache, with an `ETag` or a cursor from before the change.
//! - `plant`: leaks that are put into a database, to show that the test finds them.

mod plant;
mod probe;
mod scene;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use futures::future::try_join_all;
use rand::{SeedableRng, rngs::StdRng};

use crate::kit::Target;
use scene::Scene;

pub use plant::{PLANTS, Plant, execute};

/// How often the routes were checked after each kind of change.
#[derive(Debug, Default)]
pub struct Report {
    pub changes: usize,
    pub requests: usize,
    /// By route and kind of change.
    pub pairs: BTreeMap<(String, &'static str), usize>,
}

impl Report {
    fn add(&mut self, other: Self) {
        self.changes += other.changes;
        self.requests += other.requests;
        for (pair, count) in other.pairs {
            *self.pairs.entry(pair).or_default() += count;
        }
    }

    /// The pair that was checked least often.
    pub fn rarest(&self) -> Option<(&(String, &'static str), usize)> {
        let pairs = self.pairs.iter().map(|(pair, count)| (pair, *count));
        pairs.min_by_key(|(_, count)| *count)
    }
}

/// Runs so many scenes at once for a time. The error is the first difference, with the seed and the changes that led to it.
pub async fn run(target: &Target, seed: u64, scenes: u64, time: Duration) -> Result<Report> {
    let end = Instant::now() + time;
    let runs = (0..scenes).map(|index| one(target, seed + index, end));
    let mut all = Report::default();
    for report in try_join_all(runs).await? {
        all.add(report);
    }
    Ok(all)
}

async fn one(target: &Target, seed: u64, end: Instant) -> Result<Report> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut scene = Scene::new(target).await?;
    let mut report = Report::default();
    while Instant::now() < end {
        let kind = scene.change(&mut rng).await?;
        let checked = scene.check().await;
        let checked = checked.with_context(|| {
            let changes = scene.history().join(", ");
            format!("seed {seed}, after the changes {changes}")
        })?;
        report.changes += 1;
        for route in checked {
            report.requests += 1;
            *report.pairs.entry((route, kind)).or_default() += 1;
        }
    }
    Ok(report)
}
