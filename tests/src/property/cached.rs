//! The same sequences while clients read all the time without a position, so that every instance of read-api has
//! cached answers, and loads in progress, when something changes.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use rand::seq::SliceRandom;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};
use uuid::Uuid;

use super::{command::Step, run::Run};
use crate::{
    endpoints::{self, Endpoint},
    kit::Target,
    log,
};

/// No read is stale for longer after the last command.
const MAX_STALENESS: Duration = Duration::from_secs(1);

/// The projector catches up within this time, even on a busy machine.
const PROJECTION_TIMEOUT: Duration = Duration::from_secs(30);

const READERS: usize = 4;

/// What a run with a cache did.
#[derive(Debug, Default, Clone, Copy)]
pub struct CachedReads {
    /// Reads that were compared.
    pub compared: usize,
    /// Cached answers to the clients that read all the time.
    pub hits: usize,
}

impl Run<'_> {
    /// Runs all steps. The comparisons alternate: at once with positions, or without positions a second after the
    /// last command. Each is made with every instance of read-api.
    pub async fn cached(target: &Target, steps: &[Step]) -> Result<CachedReads> {
        let mut run = Run::new(target);
        let readers = Readers::start(target);
        let (mut cached, mut without_position) = (CachedReads::default(), false);
        for (index, step) in steps.iter().enumerate() {
            if let Step::Act(_) = step {
                run.act(index, *step).await?;
                readers.read_as(&run.state.accounts);
                continue;
            }
            let mut client = run.state.client.clone();
            if without_position {
                let last_command = Instant::now();
                // By the projector's checkpoints: a read with a position would make read-api look at them.
                log::wait_until_projected(&target.pool, PROJECTION_TIMEOUT).await?;
                sleep_until(last_command + MAX_STALENESS).await;
                client = target.client();
            }
            for instance in 0..target.read.len() {
                cached.compared += run.compare(&client, instance).await?;
            }
            without_position = !without_position;
        }
        cached.hits = readers.hits();
        Ok(cached)
    }
}

/// Clients that read all the time until this is dropped.
struct Readers {
    accounts: Arc<Mutex<Vec<Uuid>>>,
    hits: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Readers {
    fn start(target: &Target) -> Self {
        let (accounts, hits) = (Arc::<Mutex<Vec<Uuid>>>::default(), Arc::default());
        let mut tasks = JoinSet::new();
        for index in 0..READERS {
            let (target, accounts, hits) =
                (target.clone(), Arc::clone(&accounts), Arc::clone(&hits));
            tasks.spawn(async move {
                loop {
                    let viewer = pick(&accounts);
                    let other = pick(&accounts);
                    if let (Some(viewer), Some(other)) = (viewer, other) {
                        read(&target, index, viewer, other, &hits).await;
                    } else {
                        sleep(Duration::from_millis(10)).await;
                    }
                }
            });
        }
        Self {
            accounts,
            hits,
            _tasks: tasks,
        }
    }

    fn read_as(&self, accounts: &[Uuid]) {
        let mut known = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        accounts.clone_into(&mut known);
    }

    fn hits(&self) -> usize {
        self.hits.load(Ordering::Relaxed)
    }
}

fn pick(accounts: &Mutex<Vec<Uuid>>) -> Option<Uuid> {
    let accounts = accounts.lock().unwrap_or_else(PoisonError::into_inner);
    accounts.choose(&mut rand::thread_rng()).copied()
}

/// Everything of the viewer's own, and of another account.
async fn read(target: &Target, index: usize, viewer: Uuid, other: Uuid, hits: &AtomicUsize) {
    let client = target
        .client_at(index)
        .with_token(&target.signer.token(viewer));
    let own = endpoints::own_reads().flat_map(Endpoint::paths);
    let of_other = ["", "/posts", "/followers"].map(|end| format!("/v1/users/{other}{end}"));
    let more = ["/v1/feed?limit=1".to_owned()];
    for path in own.chain(of_other).chain(more) {
        let answer = client.get(&path).await;
        if answer.header("x-cache") == Some("hit") {
            hits.fetch_add(1, Ordering::Relaxed);
        }
    }
}
