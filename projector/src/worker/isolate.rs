//! Handles an event that cannot be applied: it blocks its partition in this projection, and nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use feedmill_events::Partition;
use feedmill_service::sql::named;
use sqlx::{query, query_scalar};

use super::state::{Blocked, Worker};
use crate::{
    batch::Range,
    error::{ApplyError, Recovery},
};

/// The delays before a whole batch is retried, in case the error was temporary.
const BATCH_RETRY_DELAYS: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(250)];
/// The delay before a blocked partition is retried, doubled each time up to the maximum.
const MIN_RETRY_DELAY: Duration = Duration::from_secs(1);
const MAX_RETRY_DELAY: Duration = Duration::from_mins(1);

impl Worker {
    /// Applies as much as possible of ranges that failed together: first retries all of them, then bisects each one.
    /// Errors: those that the events are not to blame for.
    pub(super) async fn bisect(
        &mut self,
        ranges: &[Range],
        error: ApplyError,
    ) -> Result<(), ApplyError> {
        tracing::warn!(projection = self.job.projection.name(), %error, "worker: cannot apply a batch, retrying");
        for delay in BATCH_RETRY_DELAYS {
            tokio::time::sleep(delay).await;
            match self.apply_from_log(ranges).await {
                Err(error) if error.recovery() == Recovery::Isolate => {}
                result => return result,
            }
        }
        for range in ranges {
            self.bisect_range(*range).await?;
        }
        Ok(())
    }

    /// Applies a range up to the event that cannot be applied, if there is one, and blocks the partition there.
    async fn bisect_range(&mut self, range: Range) -> Result<(), ApplyError> {
        let mut size = range.len();
        loop {
            let after = self.checkpoints[range.partition];
            let part = Range {
                after,
                upto: range.upto.min(after + size),
                ..range
            };
            if part.is_empty() {
                return Ok(());
            }
            match self.apply_from_log(&[part]).await {
                Err(error) if error.recovery() == Recovery::Isolate && part.len() == 1 => {
                    return self.block(range.partition, &error).await;
                }
                Err(error) if error.recovery() == Recovery::Isolate => size = part.len() / 2,
                result => result?,
            }
        }
    }

    /// Records that the event after the checkpoint blocks its partition.
    pub(super) async fn block(
        &mut self,
        partition: Partition,
        error: &ApplyError,
    ) -> Result<(), ApplyError> {
        let seq = self.checkpoints[partition] + 1;
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
        let db = self.job.connection.get().await?;
        let attempts = named("projector.block", statement.fetch_optional(db)).await?;
        // Without a row, another instance or an operator has moved the checkpoint past the event.
        let attempts = attempts.ok_or(ApplyError::Conflict)?;
        let exponent = attempts.clamp(1, 10).unsigned_abs() - 1;
        let delay = MAX_RETRY_DELAY.min(MIN_RETRY_DELAY * 2u32.pow(exponent));
        self.blocked.insert(
            partition,
            Blocked {
                attempts,
                next_attempt: Instant::now() + delay,
            },
        );
        tracing::error!(
            projection = self.job.projection.name(),
            %partition,
            seq,
            attempts,
            %error,
            "worker: cannot apply an event, so its partition is blocked; retrying in {delay:?}, or see `projector skip`"
        );
        self.report_health();
        Ok(())
    }

    pub(super) async fn unblock(&mut self, partition: Partition) -> Result<(), ApplyError> {
        let statement = query!(
            "/* projector.unblock */
            DELETE FROM blocked WHERE projection = $1 AND generation = $2 AND partition = $3",
            self.job.projection.name(),
            self.generation,
            i16::from(partition),
        );
        let db = self.job.connection.get().await?;
        named("projector.unblock", statement.execute(db)).await?;
        self.blocked.remove(&partition);
        tracing::info!(projection = self.job.projection.name(), %partition, "worker: the partition is no longer blocked");
        self.report_health();
        Ok(())
    }

    /// Loads which of these partitions are blocked, to be retried at once.
    pub(super) async fn load_blocked(
        &mut self,
        partitions: &BTreeSet<Partition>,
    ) -> Result<(), ApplyError> {
        for (partition, attempts) in self.blocked_rows().await? {
            if partitions.contains(&partition) {
                let blocked = Blocked {
                    attempts,
                    next_attempt: Instant::now(),
                };
                self.blocked.insert(partition, blocked);
            }
        }
        Ok(())
    }

    /// The number of attempts by blocked partition.
    pub(super) async fn blocked_rows(&mut self) -> Result<BTreeMap<Partition, i32>, ApplyError> {
        let statement = query!(
            "/* projector.blocked */
            SELECT partition, attempts FROM blocked WHERE projection = $1 AND generation = $2",
            self.job.projection.name(),
            self.generation,
        );
        let db = self.job.connection.get().await?;
        let rows = named("projector.blocked", statement.fetch_all(db)).await?;
        Ok(rows
            .into_iter()
            .filter_map(|row| Some((Partition::try_from(row.partition).ok()?, row.attempts)))
            .collect())
    }
}
