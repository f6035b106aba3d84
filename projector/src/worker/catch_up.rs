//! Applies events that the stream did not deliver, and retries blocked partitions.

use std::{collections::BTreeSet, time::Instant};

use feedmill_events::Partition;

use super::state::Worker;
use crate::{
    batch::{self, Range},
    error::{ApplyError, Recovery},
    log,
};

/// The maximum number of events in a batch (or one per partition, if that is more).
pub const MAX_BATCH_EVENTS: usize = 4_000;

impl Worker {
    /// Applies the events after the checkpoints of these partitions (None: of all) from the log, in large batches.
    pub(super) async fn catch_up(
        &mut self,
        partitions: Option<BTreeSet<Partition>>,
    ) -> Result<(), ApplyError> {
        while !self.job.shutdown.soft.is_cancelled() {
            self.apply_assignment().await?;
            let heads = log::heads(self.job.connection.get().await?).await?;
            self.measure_lag(&heads);
            let is_selected = |partition: &Partition| {
                partitions
                    .as_ref()
                    .is_none_or(|set| set.contains(partition))
            };
            let ranges = log::plan(
                self.open_partitions().filter(is_selected),
                &self.checkpoints,
                &heads,
                MAX_BATCH_EVENTS as i64,
            );
            if ranges.is_empty() {
                return Ok(());
            }
            match self.apply_from_log(&ranges).await {
                Err(error) if error.recovery() == Recovery::Isolate => {
                    self.bisect(&ranges, error).await?;
                }
                result => result?,
            }
            let all_applied = ranges
                .iter()
                .all(|range| self.checkpoints[range.partition] >= range.upto);
            if all_applied && batch::total(&ranges) < MAX_BATCH_EVENTS as i64 {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Retries the blocked partitions that are due, and continues those that an operator has unblocked.
    pub(super) async fn retry_blocked(&mut self) -> Result<(), ApplyError> {
        self.continue_skipped().await?;
        let now = Instant::now();
        let is_paused = |partition: &Partition| self.assignment.paused.contains(partition);
        let due: Vec<Partition> = self
            .blocked
            .iter()
            .filter(|(partition, blocked)| blocked.next_attempt <= now && !is_paused(partition))
            .map(|(partition, _)| *partition)
            .collect();
        if due.is_empty() {
            return Ok(());
        }
        let heads = log::heads(self.job.connection.get().await?).await?;
        for partition in due {
            let after = self.checkpoints[partition];
            let range = Range {
                partition,
                after,
                upto: heads[partition].min(after + 1),
            };
            let result = if range.is_empty() {
                Ok(())
            } else {
                self.apply_from_log(&[range]).await
            };
            match result {
                Err(error) if error.recovery() == Recovery::Isolate => {
                    self.block(partition, &error).await?;
                }
                Err(error) => return Err(error),
                Ok(()) => {
                    self.unblock(partition).await?;
                    self.catch_up(Some([partition].into())).await?;
                }
            }
        }
        Ok(())
    }

    /// Continues the partitions whose blocking event an operator has skipped.
    async fn continue_skipped(&mut self) -> Result<(), ApplyError> {
        if self.blocked.is_empty() {
            return Ok(());
        }
        let rows = self.blocked_rows().await?;
        let skipped: BTreeSet<Partition> = self
            .blocked
            .keys()
            .copied()
            .filter(|partition| !rows.contains_key(partition))
            .collect();
        if skipped.is_empty() {
            return Ok(());
        }
        self.load_checkpoints(&skipped).await?;
        self.blocked
            .retain(|partition, _| !skipped.contains(partition));
        self.report_health();
        self.catch_up(Some(skipped)).await
    }
}
