//! The same sequences while others read all the time without a position, so that every instance of read-api has
//! answers in memory, and loads under way, when something changes.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Result, ensure};
use rand::seq::SliceRandom;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};
use uuid::Uuid;

use super::Run;
use crate::{harness::Stack, property::Action};

/// After the last command, no read is stale for longer.
const STALE: Duration = Duration::from_secs(1);

/// How long the projector may take, on a machine that is busy with something else.
const PATIENCE: Duration = Duration::from_secs(30);

const READERS: usize = 4;

/// How many reads were compared, and how many answers came from memory meanwhile.
#[derive(Debug, Default, Clone, Copy)]
pub struct Cached {
    pub reads: usize,
    pub hits: usize,
}

impl Run<'_> {
    /// Runs all of it. Each comparison is of reads with a position at once, or of reads without one a second after
    /// the last command, in turn, and at every instance.
    pub async fn cached(stack: &Stack, actions: &[Action]) -> Result<Cached> {
        let mut run = Run::new(stack);
        let readers = Readers::start(stack);
        let (mut cached, mut wait) = (Cached::default(), false);
        for (index, action) in actions.iter().enumerate() {
            run.steps = index;
            if *action == Action::Compare {
                let mut client = run.client.clone();
                if wait {
                    let last = Instant::now();
                    run.until_projected().await?;
                    sleep_until(last + STALE).await;
                    client = stack.client();
                }
                for instance in 0..stack.read.len() {
                    cached.reads += run.compare(&client, instance).await?;
                }
                wait = !wait;
            } else {
                run.step(*action)
                    .await
                    .map_err(|error| error.context(format!("command {index}: {action:?}")))?;
                readers.look_as(&run.accounts);
            }
        }
        cached.hits = readers.hits();
        Ok(cached)
    }

    /// By the projector's own books: asking read-api would make it look for what it has not heard.
    async fn until_projected(&self) -> Result<()> {
        let began = Instant::now();
        loop {
            let behind: i64 = sqlx::query_scalar(
                "SELECT count(*)
                FROM write.partitions AS p
                CROSS JOIN projector.projections AS j
                LEFT JOIN projector.checkpoints AS c
                    ON (c.projection, c.generation, c.partition) = (j.name, j.generation, p.id)
                WHERE coalesce(c.seq, 0) < p.head",
            )
            .fetch_one(&self.stack.pool)
            .await?;
            if behind == 0 {
                return Ok(());
            }
            ensure!(began.elapsed() < PATIENCE, "{behind} partitions are behind");
            sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Who read all the time, until they are dropped.
struct Readers {
    accounts: Arc<Mutex<Vec<Uuid>>>,
    hits: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Readers {
    fn start(stack: &Stack) -> Self {
        let (accounts, hits) = (Arc::<Mutex<Vec<Uuid>>>::default(), Arc::default());
        let mut tasks = JoinSet::new();
        for index in 0..READERS {
            let (stack, accounts, hits) = (stack.clone(), Arc::clone(&accounts), Arc::clone(&hits));
            tasks.spawn(async move {
                loop {
                    let viewer = pick(&accounts);
                    let somebody = pick(&accounts);
                    if let (Some(viewer), Some(somebody)) = (viewer, somebody) {
                        look(&stack, index, viewer, somebody, &hits).await;
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

    fn look_as(&self, accounts: &[Uuid]) {
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

async fn look(stack: &Stack, index: usize, viewer: Uuid, somebody: Uuid, hits: &AtomicUsize) {
    let client = stack
        .client_at(index)
        .with_token(&stack.signer.token(viewer));
    for path in [
        "/v1/feed",
        "/v1/feed?limit=1",
        "/v1/me",
        "/v1/conversations",
        "/v1/notifications",
        "/v1/digest?period=week",
        &format!("/v1/users/{somebody}/posts"),
        &format!("/v1/users/{somebody}/followers"),
        &format!("/v1/users/{somebody}"),
    ] {
        let answer = client.get(path).await;
        if answer.header("x-cache") == Some("hit") {
            hits.fetch_add(1, Ordering::Relaxed);
        }
    }
}
