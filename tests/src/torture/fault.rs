//! What goes wrong, and where: rounds of one to three faults at once, each at another place.

mod kind;
mod place;

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use futures::future::join_all;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use tokio::time::sleep;

use crate::{harness::World, stream};
use place::Place;

pub use place::has_subcommand;

/// Tells what happens, with the time since the beginning.
#[derive(Debug, Clone, Copy)]
pub struct Chronicle(Instant);

impl Chronicle {
    pub fn say(&self, what: &str) {
        println!("{:7.1} s  {what}", self.0.elapsed().as_secs_f64());
    }
}

pub struct Chaos {
    rng: StdRng,
    pub chronicle: Chronicle,
    pub faults: usize,
    /// Which events were deleted from the stream.
    pub deleted: BTreeSet<stream::Place>,
    /// Whether there is a `projector rebuild` to be killed.
    pub rebuilds: bool,
}

impl Chaos {
    pub fn new(seed: u64, world: &World) -> Self {
        Self {
            rng: StdRng::seed_from_u64(seed),
            chronicle: Chronicle(Instant::now()),
            faults: 0,
            deleted: BTreeSet::new(),
            rebuilds: has_subcommand(world, "rebuild"),
        }
    }

    /// Faults for this long.
    pub async fn rage(&mut self, world: &mut World, time: Duration) {
        let end = Instant::now() + time;
        sleep(Duration::from_secs(1)).await;
        while Instant::now() < end {
            let mut places = Place::all(world, self.rebuilds);
            places.shuffle(&mut self.rng);
            let count = *[1, 1, 2, 2, 3].choose(&mut self.rng).unwrap_or(&1);
            let chronicle = self.chronicle;
            let faults = places.into_iter().take(count).map(|place| {
                let kind = place.choose(&mut self.rng);
                let rng = StdRng::seed_from_u64(self.rng.r#gen());
                place.suffer(kind, rng, chronicle)
            });
            let faults: Vec<_> = faults.collect();
            self.faults += faults.len();
            self.deleted
                .extend(join_all(faults).await.into_iter().flatten());
            sleep(Duration::from_millis(self.rng.gen_range(0..1_500))).await;
        }
    }

    /// Everything runs and is connected again. Returns which services had ended by themselves.
    pub fn heal(&self, world: &mut World) -> Vec<String> {
        let mut wrong = Vec::new();
        for links in world.links.values() {
            links.heal();
        }
        let services = world.write.iter_mut().chain(&mut world.projectors);
        for service in services.chain(&mut world.read) {
            if let Some(status) = service.ended() {
                wrong.push(format!("{} ended by itself: {status}", service.name));
                service.kill();
                service.launch();
            }
        }
        self.chronicle.say("all is healed");
        wrong
    }
}
