//! Applies the log to tables that are not live.

use futures::future;
use sqlx::{Connection as _, PgConnection};
use tokio::time::{Instant, sleep};

use super::{control, output::Output, source::Source};
use crate::{
    batch::{self, Batch, Range},
    error::ApplyError,
    log::Offsets,
    projection::{Apply, Context, Definition},
};

/// What the log is applied to.
pub struct Target<'a> {
    pub projection: &'static Definition,
    pub context: &'a Context,
    pub db: &'a mut PgConnection,
    /// The generation whose checkpoints move too. None if the tables are temporary.
    pub generation: Option<i32>,
    /// What has been applied.
    pub applied: &'a mut Offsets,
}

impl Target<'_> {
    /// Applies a batch in one transaction. `applied` moves only if it is committed.
    async fn commit(&mut self, batch: &Batch, apply: Apply) -> Result<(), ApplyError> {
        let mut tx = self.db.begin().await?;
        if let Some(generation) = self.generation {
            control::advance(self.projection, generation, &batch.ranges, &mut tx).await?;
        }
        if !batch.events.is_empty() {
            apply(batch, self.context, &mut tx).await?;
        }
        tx.commit().await?;
        advance(self.applied, &batch.ranges);
        Ok(())
    }
}

/// The maximum number of events in a batch while commands are coming in.
const MAX_EVENTS_WHEN_BUSY: i64 = 1_000;

/// Applies events up to `upto`, at most `size` per batch, while the next batch is being read. While commands are coming
/// in, batches are small, reading and applying alternate, and after each batch the replay pauses for as long as the batch
/// took, so that whoever waits for a processor waits only milliseconds.
pub async fn replay(
    source: &Source,
    target: &mut Target<'_>,
    apply: Apply,
    size: i64,
    upto: &Offsets,
    output: &mut Output,
) -> Result<(), ApplyError> {
    let size_when_busy = size.min(MAX_EVENTS_WHEN_BUSY);
    let mut batch = source.read(target.applied, upto, size_when_busy).await?;
    let mut head = i64::MAX;
    while !batch.ranges.is_empty() {
        let previous_head = std::mem::replace(&mut head, source.throttle(output).await?);
        let mut after = target.applied.clone();
        advance(&mut after, &batch.ranges);
        let (applied, next) = if head > previous_head {
            let start = Instant::now();
            let applied = target.commit(&batch, apply).await;
            let next = source.read(&after, upto, size_when_busy).await;
            sleep(start.elapsed()).await;
            (applied, next)
        } else {
            let next = source.read(&after, upto, size);
            future::join(target.commit(&batch, apply), next).await
        };
        applied?;
        output.advance(source.projection, batch::total(&batch.ranges));
        batch = next?;
    }
    Ok(())
}

/// Applies events up to `upto` within a transaction that the caller commits. `applied` moves at once.
pub async fn replay_within(
    source: &Source,
    target: &mut Target<'_>,
    size: i64,
    upto: &Offsets,
) -> Result<(), ApplyError> {
    loop {
        let batch = source.read(target.applied, upto, size).await?;
        if batch.ranges.is_empty() {
            return Ok(());
        }
        if let Some(generation) = target.generation {
            control::advance(target.projection, generation, &batch.ranges, target.db).await?;
        }
        (target.projection.apply)(&batch, target.context, target.db).await?;
        advance(target.applied, &batch.ranges);
    }
}

fn advance(offsets: &mut Offsets, ranges: &[Range]) {
    for range in ranges {
        offsets[range.partition] = range.upto;
    }
}
