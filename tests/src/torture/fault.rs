//! Injects faults: rounds of one to three at once, each in another part of the stack.

mod kind;
mod target;
mod timeline;

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use futures::future::join_all;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use tokio::time::sleep;

use crate::{jetstream, kit::Stack};
use target::FaultTarget;
use timeline::Timeline;

pub struct Injector {
    rng: StdRng,
    pub timeline: Timeline,
    pub faults: usize,
    /// Events that were deleted from the stream.
    pub deleted: BTreeSet<jetstream::Place>,
}

impl Injector {
    pub fn new(seed: u64) -> Self {
        Self {
            rng: StdRng::seed_from_u64(seed),
            timeline: Timeline::start(),
            faults: 0,
            deleted: BTreeSet::new(),
        }
    }

    /// Injects faults for this long.
    pub async fn inject(&mut self, stack: &mut Stack, duration: Duration) {
        let end = Instant::now() + duration;
        sleep(Duration::from_secs(1)).await;
        while Instant::now() < end {
            let mut targets = FaultTarget::all(stack);
            targets.shuffle(&mut self.rng);
            let count = *[1, 1, 2, 2, 3].choose(&mut self.rng).unwrap_or(&1);
            let timeline = self.timeline;
            let faults = targets.into_iter().take(count).map(|target| {
                let fault = target.choose(&mut self.rng);
                let rng = StdRng::seed_from_u64(self.rng.r#gen());
                target.inject(fault, rng, timeline)
            });
            let faults: Vec<_> = faults.collect();
            self.faults += faults.len();
            self.deleted
                .extend(join_all(faults).await.into_iter().flatten());
            sleep(Duration::from_millis(self.rng.gen_range(0..1_500))).await;
        }
    }

    /// Ends all faults. Returns which services had exited by themselves, after starting them again.
    pub fn heal(&self, stack: &mut Stack) -> Vec<String> {
        let mut exited = Vec::new();
        for routes in stack.routes.values() {
            routes.heal();
        }
        let services = stack.write.iter_mut().chain(&mut stack.projectors);
        for service in services.chain(&mut stack.read) {
            if let Some(status) = service.ended() {
                exited.push(format!("{} exited by itself: {status}", service.name));
                service.kill();
                service.launch();
            }
        }
        self.timeline.print("end of the faults");
        exited
    }
}
