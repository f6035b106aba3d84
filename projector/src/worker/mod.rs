//! One projection at work.
//!
//! A session loads the checkpoints, catches up from the log and then applies what comes, until something
//! fails that a new session will mend. The checkpoint is all that is kept between sessions.

mod apply;
mod isolate;
mod orders;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use async_nats::Client;
use feedmill_events::{Changed, Partition};
use feedmill_service::{Health, Shutdown};
use tokio::{sync::watch, time::timeout};

use self::isolate::Blocked;
use crate::{
    batch::{self, Entry, Range},
    checkpoint,
    consumer::{self, Inbox},
    error::{ApplyError, Remedy},
    instance::{Lease, Orders},
    lag::Lag,
    log::{self, Places},
    metrics as names,
    projection::{Context, Definition},
    store::Store,
};

/// A batch is at most so many events (or one a partition).
const BATCH_EVENTS: usize = 4_000;
/// How often the log is looked at while events come by themselves, and while they do not.
const LOOK_LIVE: Duration = Duration::from_secs(1);
const LOOK_DEAF: Duration = Duration::from_millis(250);
/// How long a checkpoint may wait for events that the projection wants, while others pass.
const IDLE: Duration = Duration::from_millis(100);
/// The wait after a session that failed: doubled each time.
const RETRY_FIRST: Duration = Duration::from_millis(50);
const RETRY_MOST: Duration = Duration::from_secs(5);

/// So many conflicts in a row are nothing to worry about.
const CONFLICTS_TOLERATED: u32 = 5;

/// A lease that lapsed and is not renewed within this makes the projection not ready.
const LEASE_SOON: Duration = Duration::from_secs(1);

/// What a worker is given.
pub struct Job {
    pub projection: &'static Definition,
    pub context: Context,
    /// The partitions to project, as they change.
    pub orders: watch::Receiver<Orders>,
    /// Without it nothing is written.
    pub lease: Lease,
    pub store: Store,
    pub nats: Client,
    pub health: Health,
    pub shutdown: Shutdown,
}

pub struct Worker {
    job: Job,
    inbox: Inbox,
    generation: i32,
    orders: Orders,
    /// Partitions were opened, and may be behind.
    behind: bool,
    /// The checkpoints, as of the last commit.
    done: Places,
    /// Heads and checkpoints at the last look.
    seen: Option<(Places, Places)>,
    lag: Lag,
    blocked: BTreeMap<Partition, Blocked>,
    failures: u32,
}

impl Worker {
    /// Begins to follow the stream; what comes waits for `run`.
    pub fn new(job: Job) -> Self {
        job.health
            .set(job.projection.name(), Err("starting".to_owned()));
        Self {
            inbox: consumer::start(
                job.nats.clone(),
                job.projection,
                job.orders.clone(),
                job.shutdown.clone(),
            ),
            job,
            generation: 0,
            orders: Orders::default(),
            behind: false,
            done: Places::default(),
            seen: None,
            lag: Lag::default(),
            blocked: BTreeMap::new(),
            failures: 0,
        }
    }

    /// Projects until shutdown.
    pub async fn run(mut self) {
        while let Err(error) = self.session_while_held().await {
            self.job.store.forget();
            let name = self.job.projection.name();
            match error {
                ApplyError::Lapsed(_) => {
                    // Whoever was stopped has it again at once; without PostgreSQL it takes longer.
                    let wait = async {
                        if timeout(LEASE_SOON, self.job.lease.held()).await.is_err() {
                            self.job.health.set(name, Err(error.to_string()));
                            self.job.lease.held().await;
                        }
                    };
                    tokio::select! {
                        () = wait => continue,
                        () = self.job.shutdown.soft.cancelled() => return,
                    }
                }
                ApplyError::Conflict => {
                    metrics::counter!(names::CONFLICTS, "projection" => name).increment(1);
                }
                _ => self.job.health.set(name, Err(error.to_string())),
            }
            let wait = RETRY_MOST.min(RETRY_FIRST * 2u32.saturating_pow(self.failures.min(10)));
            self.failures += 1;
            // Usual while partitions move between instances, or when a rebuild goes live.
            if matches!(error, ApplyError::Conflict) && self.failures < CONFLICTS_TOLERATED {
                tracing::info!(projection = name, "{error}: reading the checkpoints again");
            } else {
                tracing::warn!(projection = name, %error, ?wait, "starting over from the checkpoints");
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.job.shutdown.soft.cancelled() => return,
            }
        }
    }

    /// A session that is given up when the lease lapses, wherever it is: without a lease it may write nothing,
    /// and if PostgreSQL went silent, its connection may never say another word.
    async fn session_while_held(&mut self) -> Result<(), ApplyError> {
        let lease = self.job.lease.clone();
        tokio::select! {
            result = self.session() => result,
            error = lease.lapsed() => Err(error),
        }
    }

    async fn session(&mut self) -> Result<(), ApplyError> {
        (self.generation, self.done) =
            checkpoint::load(self.job.store.connection().await?, self.job.projection).await?;
        self.orders = self.job.orders.borrow_and_update().clone();
        self.seen = None;
        self.blocked.clear();
        self.load_blocked(&self.orders.owned.clone()).await?;
        if self.failures == 0 {
            self.report();
        }
        self.behind = true;
        // What came and is not applied yet: events that the projection does not want, and what waits for the next step.
        let mut entries = Vec::with_capacity(BATCH_EVENTS);
        let now = Instant::now();
        let (mut next_look, mut next_step, mut idle_since) = (now, now, now);
        // Whether something came since the last step.
        let mut news = false;
        loop {
            while std::mem::take(&mut self.behind) {
                self.catch_up(None).await?;
            }
            tokio::select! {
                biased;
                () = self.job.shutdown.soft.cancelled() => return Ok(()),
                true = changed(&self.job.orders) => self.obey().await?,
                Ok(()) = self.inbox.live.changed() => {
                    // Whatever came before there was a consumer will not come by itself.
                    self.catch_up(None).await?;
                }
                () = tokio::time::sleep_until(next_look.into()) => {
                    self.look().await?;
                    let live = *self.inbox.live.borrow();
                    next_look = Instant::now() + if live { LOOK_LIVE } else { LOOK_DEAF };
                }
                () = tokio::time::sleep_until((idle_since + IDLE).into()), if !entries.is_empty() && !news => {
                    self.take(std::mem::take(&mut entries)).await?;
                }
                () = tokio::time::sleep_until(next_step.into()), if news => {
                    news = false;
                    let much = entries.len() >= BATCH_EVENTS || idle_since.elapsed() >= IDLE;
                    if much || !self.pass(&entries).await {
                        self.take(std::mem::take(&mut entries)).await?;
                    }
                    next_step = Instant::now() + self.job.projection.pace;
                }
                came @ 1.. = self.inbox.entries.recv_many(&mut entries, BATCH_EVENTS), if entries.len() < BATCH_EVENTS => {
                    if came == entries.len() {
                        idle_since = Instant::now();
                    }
                    news = true;
                }
            }
        }
    }

    /// Events that the projection does not want, or that do not concern it, change nothing. That it is past them
    /// is said here, and written together with the next that it wants, or soon: a transaction for each would cost as
    /// much as for those. False, and nothing is said, if there is more to do.
    async fn pass(&self, entries: &[Entry]) -> bool {
        let mut next = self.done.clone();
        for entry in entries.iter().filter(|entry| self.is_open(entry.partition)) {
            let place = &mut next[entry.partition];
            if entry.body.is_some() || entry.seq > *place + 1 {
                return false;
            }
            *place = entry.seq.max(*place);
        }
        let ranges: Vec<Range> = self
            .open()
            .filter(|partition| next[*partition] > self.done[*partition])
            .map(|partition| Range {
                partition,
                after: self.done[partition],
                upto: next[partition],
            })
            .collect();
        self.announce(&ranges, Changed::Tags(vec![])).await;
        true
    }

    /// Applies, of what came, what continues the checkpoints, and fills the gaps from the log.
    async fn take(&mut self, entries: Vec<Entry>) -> Result<(), ApplyError> {
        let (mut next, mut continuing) = (self.done.clone(), Vec::with_capacity(entries.len()));
        let mut gaps: BTreeMap<Partition, i64> = BTreeMap::new();
        let mut duplicates = 0;
        for entry in entries
            .into_iter()
            .filter(|entry| self.is_open(entry.partition))
        {
            let place = &mut next[entry.partition];
            if entry.seq <= *place {
                duplicates += 1;
            } else if entry.seq == *place + 1 {
                *place = entry.seq;
                continuing.push(entry);
            } else {
                gaps.entry(entry.partition)
                    .or_insert(entry.seq - 1 - *place);
            }
        }
        let name = self.job.projection.name();
        metrics::counter!(names::DUPLICATES, "projection" => name).increment(duplicates);
        let ranges = batch::ranges(&continuing);
        if !ranges.is_empty() {
            match self.apply(continuing, "stream").await {
                Err(error) if error.remedy() == Remedy::Isolate => {
                    self.narrow(&ranges, error).await?;
                }
                result => result?,
            }
        }
        if gaps.is_empty() {
            return Ok(());
        }
        let missing: i64 = gaps.values().sum();
        metrics::counter!(names::GAP_EVENTS, "projection" => name)
            .increment(missing.unsigned_abs());
        tracing::warn!(
            projection = name,
            missing,
            "the stream left events out; reading them from the log"
        );
        self.catch_up(Some(gaps.into_keys().collect())).await
    }

    /// The watchdog: compares the log's heads with the checkpoints, and reads what should have come and did
    /// not. That is what is behind since the last look without having moved; or all, if nothing can come.
    async fn look(&mut self) -> Result<(), ApplyError> {
        let heads = log::heads(self.job.store.connection().await?).await?;
        self.observe(&heads);
        self.succeeded();
        let live = *self.inbox.live.borrow();
        let stalled: BTreeSet<Partition> = self
            .open()
            .filter(|partition| heads[*partition] > self.done[*partition])
            .filter(|partition| {
                !live
                    || self.seen.as_ref().is_some_and(|(heads, done)| {
                        done[*partition] == self.done[*partition]
                            && heads[*partition] > done[*partition]
                    })
            })
            .collect();
        self.seen = Some((heads, self.done.clone()));
        if !stalled.is_empty() && (!live || self.inbox.entries.is_empty()) {
            self.catch_up(Some(stalled)).await?;
        }
        self.retry_blocked().await
    }

    /// Applies from the log, in large batches, what these partitions (or all) are behind.
    async fn catch_up(
        &mut self,
        partitions: Option<BTreeSet<Partition>>,
    ) -> Result<(), ApplyError> {
        while !self.job.shutdown.soft.is_cancelled() {
            self.obey().await?;
            let heads = log::heads(self.job.store.connection().await?).await?;
            self.observe(&heads);
            let wanted = |partition: &Partition| {
                partitions
                    .as_ref()
                    .is_none_or(|set| set.contains(partition))
            };
            let ranges = log::plan(
                self.open().filter(wanted),
                &self.done,
                &heads,
                BATCH_EVENTS as i64,
            );
            if ranges.is_empty() {
                return Ok(());
            }
            match self.step(&ranges).await {
                Err(error) if error.remedy() == Remedy::Isolate => {
                    self.narrow(&ranges, error).await?;
                }
                result => result?,
            }
            let all_read = ranges
                .iter()
                .all(|range| self.done[range.partition] >= range.upto);
            if all_read && batch::total(&ranges) < BATCH_EVENTS as i64 {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Something worked, so what failed before is over.
    fn succeeded(&mut self) {
        if self.failures > 0 {
            self.failures = 0;
            self.report();
        }
    }

    /// Sets the metrics of how far behind the projection is.
    fn observe(&mut self, heads: &Places) {
        let now = Instant::now();
        let name = self.job.projection.name();
        let events: i64 = self
            .orders
            .owned
            .iter()
            .map(|p| (heads[*p] - self.done[*p]).max(0))
            .sum();
        self.lag.see(now, heads);
        let since = self.lag.since(now, &self.done, &self.orders.owned);
        metrics::gauge!(names::LAG_EVENTS, "projection" => name).set(events as f64);
        metrics::gauge!(names::LAG_SECONDS, "projection" => name).set(since.as_secs_f64());
    }
}

/// Until there are new orders. They are not marked as seen. False, at once, if there will never be any.
async fn changed(orders: &watch::Receiver<Orders>) -> bool {
    orders.clone().changed().await.is_ok()
}
