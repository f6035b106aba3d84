//! The state of a worker.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use feedmill_events::{EventKey, Partition};
use feedmill_service::{Health, Shutdown};
use tokio::sync::watch;

use crate::{
    announce::Announcer,
    connection::LazyConnection,
    consumer::{self, Inbox},
    instance::{Assignment, Lease},
    lag::Lag,
    log::Offsets,
    metrics as names,
    projection::{Context, Definition},
};

/// What a worker needs.
pub struct Job {
    pub projection: &'static Definition,
    pub context: Context,
    /// The partitions to project, as they change.
    pub assignment: watch::Receiver<Assignment>,
    /// Must be held to write.
    pub lease: Lease,
    pub connection: LazyConnection,
    pub announcer: Announcer,
    /// Verifies the events in the stream.
    pub event_key: EventKey,
    pub health: Health,
    pub shutdown: Shutdown,
}

pub struct Worker {
    pub(super) job: Job,
    pub(super) inbox: Inbox,
    pub(super) generation: i32,
    pub(super) assignment: Assignment,
    /// Partitions were taken over, and may be behind the log.
    pub(super) must_catch_up: bool,
    /// As of the last commit.
    pub(super) checkpoints: Offsets,
    /// Heads and checkpoints at the last poll.
    pub(super) last_poll: Option<(Offsets, Offsets)>,
    pub(super) lag: Lag,
    pub(super) blocked: BTreeMap<Partition, Blocked>,
    /// Failed sessions in a row.
    pub(super) failures: u32,
}

/// A partition that is blocked by an event that cannot be applied.
#[derive(Debug)]
pub struct Blocked {
    pub attempts: i32,
    pub next_attempt: Instant,
}

impl Worker {
    /// Starts to receive events from the stream; they are queued until `run`.
    pub fn new(job: Job) -> Self {
        job.health
            .set(job.projection.name(), Err("starting".to_owned()));
        Self {
            inbox: consumer::start(
                job.announcer.nats.clone(),
                job.event_key.clone(),
                job.projection,
                job.assignment.clone(),
                job.shutdown.clone(),
            ),
            job,
            generation: 0,
            assignment: Assignment::default(),
            must_catch_up: false,
            checkpoints: Offsets::default(),
            last_poll: None,
            lag: Lag::default(),
            blocked: BTreeMap::new(),
            failures: 0,
        }
    }

    /// Whether events of the partition are applied: it is owned, not paused and not blocked.
    pub(super) fn is_open(&self, partition: Partition) -> bool {
        self.assignment.owned.contains(&partition)
            && !self.assignment.paused.contains(&partition)
            && !self.blocked.contains_key(&partition)
    }

    pub(super) fn open_partitions(&self) -> impl Iterator<Item = Partition> {
        Partition::all().filter(|partition| self.is_open(*partition))
    }

    /// Updates the metrics of the projection's lag.
    pub(super) fn measure_lag(&mut self, heads: &Offsets) {
        let now = Instant::now();
        let name = self.job.projection.name();
        let owned: &BTreeSet<Partition> = &self.assignment.owned;
        let events: i64 = owned
            .iter()
            .map(|p| (heads[*p] - self.checkpoints[*p]).max(0))
            .sum();
        self.lag.record(now, heads);
        let duration = self.lag.duration(now, &self.checkpoints, owned);
        metrics::gauge!(names::LAG_EVENTS, "projection" => name).set(events as f64);
        metrics::gauge!(names::LAG_SECONDS, "projection" => name).set(duration.as_secs_f64());
    }

    /// Ends the series of failed sessions.
    pub(super) fn reset_failures(&mut self) {
        if self.failures > 0 {
            self.failures = 0;
            self.report_health();
        }
    }

    /// Reports the projection as ready, with a note if partitions are blocked or paused.
    pub(super) fn report_health(&self) {
        let name = self.job.projection.name();
        metrics::gauge!(names::BLOCKED, "projection" => name).set(self.blocked.len() as f64);
        let blocked = self.blocked.iter().map(|(partition, blocked)| {
            format!(
                "partition {partition} is blocked ({} attempts)",
                blocked.attempts
            )
        });
        let paused = match self.assignment.paused.len() {
            0 => None,
            count if count == self.assignment.owned.len() => {
                Some("all partitions are paused".to_owned())
            }
            count => Some(format!("{count} partitions are paused")),
        };
        let reasons: Vec<String> = blocked.chain(paused).collect();
        if reasons.is_empty() {
            self.job.health.set(name, Ok(()));
        } else {
            self.job.health.set_optional(name, Err(reasons.join(", ")));
        }
    }
}
