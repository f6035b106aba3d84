//! The loop of a session: receives events from the stream, and polls the log for those that it did not deliver.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use feedmill_events::{Changed, Partition};
use tokio::sync::watch;

use super::{catch_up::MAX_BATCH_EVENTS, state::Worker};
use crate::{
    batch::{self, Entry, Range},
    checkpoint,
    error::{ApplyError, Recovery},
    instance::Assignment,
    log, metrics as names,
};

/// How often the log is polled while the stream delivers new events, and while it does not.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
const POLL_INTERVAL_WITHOUT_STREAM: Duration = Duration::from_millis(250);
/// How long a checkpoint may lag behind irrelevant events, to be written together with the next relevant one.
const MAX_CHECKPOINT_DELAY: Duration = Duration::from_millis(100);

impl Worker {
    /// Projects until shutdown. Errors: the session must be restarted.
    pub(super) async fn session(&mut self) -> Result<(), ApplyError> {
        let db = self.job.connection.get().await?;
        (self.generation, self.checkpoints) = checkpoint::load(db, self.job.projection).await?;
        self.assignment = self.job.assignment.borrow_and_update().clone();
        self.last_poll = None;
        self.blocked.clear();
        self.load_blocked(&self.assignment.owned.clone()).await?;
        if self.failures == 0 {
            self.report_health();
        }
        self.must_catch_up = true;
        // Received and not applied: irrelevant events, and what waits for the next transaction.
        let mut entries = Vec::with_capacity(MAX_BATCH_EVENTS);
        let now = Instant::now();
        let (mut next_poll, mut next_batch, mut oldest_entry) = (now, now, now);
        // Whether something was received since the last batch.
        let mut has_news = false;
        loop {
            while std::mem::take(&mut self.must_catch_up) {
                self.catch_up(None).await?;
            }
            tokio::select! {
                biased;
                () = self.job.shutdown.soft.cancelled() => return Ok(()),
                true = has_changed(&self.job.assignment) => self.apply_assignment().await?,
                Ok(()) = self.inbox.is_live.changed() => {
                    // A new consumer does not deliver earlier events.
                    self.catch_up(None).await?;
                }
                () = tokio::time::sleep_until(next_poll.into()) => {
                    self.poll_log().await?;
                    let is_live = *self.inbox.is_live.borrow();
                    let interval = if is_live { POLL_INTERVAL } else { POLL_INTERVAL_WITHOUT_STREAM };
                    next_poll = Instant::now() + interval;
                }
                () = tokio::time::sleep_until((oldest_entry + MAX_CHECKPOINT_DELAY).into()),
                    if !entries.is_empty() && !has_news =>
                {
                    self.apply_received(std::mem::take(&mut entries)).await?;
                }
                () = tokio::time::sleep_until(next_batch.into()), if has_news => {
                    has_news = false;
                    let is_due = entries.len() >= MAX_BATCH_EVENTS
                        || oldest_entry.elapsed() >= MAX_CHECKPOINT_DELAY;
                    if is_due || !self.announce_irrelevant(&entries).await {
                        self.apply_received(std::mem::take(&mut entries)).await?;
                    }
                    next_batch = Instant::now() + self.job.projection.min_interval;
                }
                received @ 1.. = self.inbox.entries.recv_many(&mut entries, MAX_BATCH_EVENTS),
                    if entries.len() < MAX_BATCH_EVENTS =>
                {
                    if received == entries.len() {
                        oldest_entry = Instant::now();
                    }
                    has_news = true;
                }
            }
        }
    }

    /// Announces progress past events that change nothing. Their checkpoints are written later, together with the next
    /// relevant event: a transaction per irrelevant event would cost as much as one per relevant event. Returns false,
    /// and announces nothing, if there is a relevant event or a gap.
    async fn announce_irrelevant(&self, entries: &[Entry]) -> bool {
        let mut next = self.checkpoints.clone();
        for entry in entries.iter().filter(|entry| self.is_open(entry.partition)) {
            let seq = &mut next[entry.partition];
            if entry.body.is_some() || entry.seq > *seq + 1 {
                return false;
            }
            *seq = entry.seq.max(*seq);
        }
        let ranges: Vec<Range> = self
            .open_partitions()
            .filter(|partition| next[*partition] > self.checkpoints[*partition])
            .map(|partition| Range {
                partition,
                after: self.checkpoints[partition],
                upto: next[partition],
            })
            .collect();
        self.announce(&ranges, Changed::Tags(vec![])).await;
        true
    }

    /// Applies the received entries that continue the checkpoints, and fills gaps from the log.
    async fn apply_received(&mut self, entries: Vec<Entry>) -> Result<(), ApplyError> {
        let mut next = self.checkpoints.clone();
        let mut continuing = Vec::with_capacity(entries.len());
        let mut gaps: BTreeMap<Partition, i64> = BTreeMap::new();
        let mut duplicates = 0;
        for entry in entries
            .into_iter()
            .filter(|entry| self.is_open(entry.partition))
        {
            let seq = &mut next[entry.partition];
            if entry.seq <= *seq {
                duplicates += 1;
            } else if entry.seq == *seq + 1 {
                *seq = entry.seq;
                continuing.push(entry);
            } else {
                gaps.entry(entry.partition).or_insert(entry.seq - 1 - *seq);
            }
        }
        let name = self.job.projection.name();
        metrics::counter!(names::DUPLICATES, "projection" => name).increment(duplicates);
        let ranges = batch::ranges(&continuing);
        if !ranges.is_empty() {
            match self.apply(continuing, "stream").await {
                Err(error) if error.recovery() == Recovery::Isolate => {
                    self.bisect(&ranges, error).await?;
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
            "worker: the stream did not deliver some events, reading them from the log"
        );
        self.catch_up(Some(gaps.into_keys().collect())).await
    }

    /// Compares the heads of the log with the checkpoints, and applies what the stream should have delivered: partitions
    /// that have been behind since the last poll without moving, or, without a consumer, all that are behind.
    async fn poll_log(&mut self) -> Result<(), ApplyError> {
        let heads = log::heads(self.job.connection.get().await?).await?;
        self.measure_lag(&heads);
        self.reset_failures();
        let is_live = *self.inbox.is_live.borrow();
        let stalled: BTreeSet<Partition> = self
            .open_partitions()
            .filter(|partition| heads[*partition] > self.checkpoints[*partition])
            .filter(|partition| {
                !is_live
                    || self.last_poll.as_ref().is_some_and(|(heads, checkpoints)| {
                        checkpoints[*partition] == self.checkpoints[*partition]
                            && heads[*partition] > checkpoints[*partition]
                    })
            })
            .collect();
        self.last_poll = Some((heads, self.checkpoints.clone()));
        if !stalled.is_empty() && (!is_live || self.inbox.entries.is_empty()) {
            self.catch_up(Some(stalled)).await?;
        }
        self.retry_blocked().await
    }
}

/// Waits for a changed assignment, without marking it as seen. Returns false, at once, if it can never change again.
async fn has_changed(assignment: &watch::Receiver<Assignment>) -> bool {
    assignment.clone().changed().await.is_ok()
}
