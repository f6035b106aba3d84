//! What is done about an event that cannot be applied: it stops its partition, and nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use feedmill_events::Partition;
use feedmill_service::sql::named;
use sqlx::{query, query_scalar};

use super::Worker;
use crate::{
    batch::Range,
    error::{ApplyError, Remedy},
    log, metrics as names,
};

/// The waits before a whole batch is tried again, in case it was bad luck.
const AGAIN: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(250)];
/// A blocked partition is tried again after this, doubled each time.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MOST: Duration = Duration::from_mins(1);

/// A partition that stands still.
#[derive(Debug)]
pub struct Blocked {
    attempts: i32,
    next_try: Instant,
}

impl Worker {
    /// Applies as much as possible of ranges that failed together: once more as they are, then each by
    /// itself. Errors: those that have nothing to do with the events.
    pub(super) async fn narrow(
        &mut self,
        ranges: &[Range],
        error: ApplyError,
    ) -> Result<(), ApplyError> {
        tracing::warn!(projection = self.job.projection.name(), %error, "a batch cannot be applied; trying again");
        for wait in AGAIN {
            tokio::time::sleep(wait).await;
            match self.step(ranges).await {
                Err(error) if error.remedy() == Remedy::Isolate => {}
                result => return result,
            }
        }
        for range in ranges {
            self.isolate(*range).await?;
        }
        Ok(())
    }

    /// Applies a range in halves of halves, up to the event that cannot be applied, if there is one.
    async fn isolate(&mut self, range: Range) -> Result<(), ApplyError> {
        let mut size = range.len();
        loop {
            let after = self.done[range.partition];
            let part = Range {
                after,
                upto: range.upto.min(after + size),
                ..range
            };
            if part.is_empty() {
                return Ok(());
            }
            match self.step(&[part]).await {
                Err(error) if error.remedy() == Remedy::Isolate && part.len() == 1 => {
                    return self.block(range.partition, &error).await;
                }
                Err(error) if error.remedy() == Remedy::Isolate => size = part.len() / 2,
                result => result?,
            }
        }
    }

    /// Notes that the event after the checkpoint stops its partition.
    async fn block(&mut self, partition: Partition, error: &ApplyError) -> Result<(), ApplyError> {
        let seq = self.done[partition] + 1;
        let statement = query_scalar!(
            "/* projector.block */
            INSERT INTO blocked AS b (projection, generation, partition, seq, attempts, error)
            SELECT projection, generation, partition, seq + 1, 1, $5 FROM checkpoints
            WHERE projection = $1 AND generation = $2 AND partition = $3 AND seq = $4::bigint - 1
            FOR SHARE
            ON CONFLICT (projection, generation, partition) DO UPDATE SET
                seq = excluded.seq, error = excluded.error,
                attempts = CASE WHEN b.seq = excluded.seq THEN b.attempts + 1 ELSE 1 END,
                since = CASE WHEN b.seq = excluded.seq THEN b.since ELSE excluded.since END
            RETURNING attempts",
            self.job.projection.name(),
            self.generation,
            i16::from(partition),
            seq,
            error.to_string(),
        );
        let db = self.job.store.connection().await?;
        let attempts = named("projector.block", statement.fetch_optional(db)).await?;
        // Otherwise somebody has passed it by now: another instance, or an operator.
        let attempts = attempts.ok_or(ApplyError::Conflict)?;
        let exponent = attempts.clamp(1, 10).unsigned_abs() - 1;
        let wait = RETRY_MOST.min(RETRY_FIRST * 2u32.pow(exponent));
        self.blocked.insert(
            partition,
            Blocked {
                attempts,
                next_try: Instant::now() + wait,
            },
        );
        tracing::error!(
            projection = self.job.projection.name(),
            %partition,
            seq,
            attempts,
            %error,
            retry_in = ?wait,
            "an event cannot be applied, and its partition stands still"
        );
        self.report();
        Ok(())
    }

    /// Tries the blocked partitions whose time has come.
    pub(super) async fn retry_blocked(&mut self) -> Result<(), ApplyError> {
        self.forget_skipped().await?;
        let now = Instant::now();
        let due: Vec<Partition> = self
            .blocked
            .iter()
            .filter(|(partition, b)| b.next_try <= now && !self.orders.paused.contains(partition))
            .map(|(partition, _)| *partition)
            .collect();
        if due.is_empty() {
            return Ok(());
        }
        let heads = log::heads(self.job.store.connection().await?).await?;
        for partition in due {
            let after = self.done[partition];
            let range = Range {
                partition,
                after,
                upto: heads[partition].min(after + 1),
            };
            let result = if range.is_empty() {
                Ok(())
            } else {
                self.step(&[range]).await
            };
            match result {
                Err(error) if error.remedy() == Remedy::Isolate => {
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

    async fn unblock(&mut self, partition: Partition) -> Result<(), ApplyError> {
        let statement = query!(
            "/* projector.unblock */
            DELETE FROM blocked WHERE projection = $1 AND generation = $2 AND partition = $3",
            self.job.projection.name(),
            self.generation,
            i16::from(partition),
        );
        let db = self.job.store.connection().await?;
        named("projector.unblock", statement.execute(db)).await?;
        self.blocked.remove(&partition);
        tracing::info!(projection = self.job.projection.name(), %partition, "a partition moves again");
        self.report();
        Ok(())
    }

    /// Goes on after events that an operator has let this projection skip.
    async fn forget_skipped(&mut self) -> Result<(), ApplyError> {
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
        self.reload(&skipped).await?;
        self.blocked
            .retain(|partition, _| !skipped.contains(partition));
        self.report();
        self.catch_up(Some(skipped)).await
    }

    /// Takes over, of these, the partitions that were blocked before, to be tried at once.
    pub(super) async fn load_blocked(
        &mut self,
        partitions: &BTreeSet<Partition>,
    ) -> Result<(), ApplyError> {
        for (partition, attempts) in self.blocked_rows().await? {
            if partitions.contains(&partition) {
                let blocked = Blocked {
                    attempts,
                    next_try: Instant::now(),
                };
                self.blocked.insert(partition, blocked);
            }
        }
        Ok(())
    }

    /// How often each was tried.
    async fn blocked_rows(&mut self) -> Result<BTreeMap<Partition, i32>, ApplyError> {
        let statement = query!(
            "/* projector.blocked */
            SELECT partition, attempts FROM blocked WHERE projection = $1 AND generation = $2",
            self.job.projection.name(),
            self.generation,
        );
        let db = self.job.store.connection().await?;
        let rows = named("projector.blocked", statement.fetch_all(db)).await?;
        Ok(rows
            .into_iter()
            .filter_map(|row| Some((Partition::try_from(row.partition).ok()?, row.attempts)))
            .collect())
    }

    /// Says that the projection is at work, and which partitions are not.
    pub(super) fn report(&self) {
        let name = self.job.projection.name();
        metrics::gauge!(names::BLOCKED, "projection" => name).set(self.blocked.len() as f64);
        let blocked = self
            .blocked
            .iter()
            .map(|(partition, blocked)| format!("{partition} ({} attempts)", blocked.attempts));
        let paused = match self.orders.paused.len() {
            0 => None,
            one if one == self.orders.owned.len() => Some("all are paused".to_owned()),
            some => Some(format!("{some} are paused")),
        };
        let standing: Vec<String> = blocked.chain(paused).collect();
        if standing.is_empty() {
            self.job.health.set(name, Ok(()));
        } else {
            self.job.health.note(
                name,
                Err(format!("partitions stand still: {}", standing.join(", "))),
            );
        }
    }
}
