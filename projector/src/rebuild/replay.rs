//! The log, applied to tables that are not live.

use feedmill_events::Partition;
use futures::future;
use sqlx::{Connection as _, PgConnection};
use tokio::time::{Instant, sleep};

use super::{books, show::Show, source::Source};
use crate::{
    batch::{self, Batch, Range},
    error::ApplyError,
    log::Places,
    projection::{Apply, Context, Definition},
};

/// Where they are applied to.
pub struct Target<'a> {
    pub projection: &'static Definition,
    pub context: &'a Context,
    pub db: &'a mut PgConnection,
    /// Whose checkpoints are moved as well; none if nobody goes on after an interruption.
    pub generation: Option<i32>,
    pub done: &'a mut Places,
}

impl Target<'_> {
    /// In one transaction. `done` is moved only when it is committed.
    async fn commit(&mut self, batch: &Batch, apply: Apply) -> Result<(), ApplyError> {
        let mut tx = self.db.begin().await?;
        if let Some(generation) = self.generation {
            books::advance(self.projection, generation, &batch.ranges, &mut tx).await?;
        }
        if !batch.events.is_empty() {
            apply(batch, self.context, &mut tx).await?;
        }
        tx.commit().await?;
        pass(self.done, &batch.ranges);
        Ok(())
    }
}

/// While commands come in, batches are no larger than this.
const SMALL: i64 = 1_000;

/// Replays up to these places, in batches of at most `size` events. The next one is read while one is applied; but
/// while commands come in, batches are small, one thing is done at a time, and after each there is a rest as long as
/// it took: whoever waits for a processor meanwhile waits for milliseconds.
pub async fn replay(
    source: &Source,
    target: &mut Target<'_>,
    apply: Apply,
    size: i64,
    upto: &Places,
    show: &mut Show,
) -> Result<(), ApplyError> {
    let mut batch = source.read(target.done, upto, size.min(SMALL)).await?;
    let mut head = i64::MAX;
    while !batch.ranges.is_empty() {
        let head_before = std::mem::replace(&mut head, source.give_way(show).await?);
        let mut after = target.done.clone();
        pass(&mut after, &batch.ranges);
        let (applied, next) = if head > head_before {
            let start = Instant::now();
            let applied = target.commit(&batch, apply).await;
            let next = source.read(&after, upto, size.min(SMALL)).await;
            sleep(start.elapsed()).await;
            (applied, next)
        } else {
            let next = source.read(&after, upto, size);
            future::join(target.commit(&batch, apply), next).await
        };
        applied?;
        show.passed(source.projection, batch::total(&batch.ranges));
        batch = next?;
    }
    Ok(())
}

/// Replays up to these places within a transaction that somebody else commits. `done` is moved at once.
pub async fn replay_within(
    source: &Source,
    target: &mut Target<'_>,
    size: i64,
    upto: &Places,
) -> Result<(), ApplyError> {
    loop {
        let batch = source.read(target.done, upto, size).await?;
        if batch.ranges.is_empty() {
            return Ok(());
        }
        if let Some(generation) = target.generation {
            books::advance(target.projection, generation, &batch.ranges, target.db).await?;
        }
        (target.projection.apply)(&batch, target.context, target.db).await?;
        pass(target.done, &batch.ranges);
    }
}

fn pass(places: &mut Places, ranges: &[Range]) {
    for range in ranges {
        places[range.partition] = range.upto;
    }
}

/// How many events are between two places, where the second is further.
pub fn distance(from: &Places, to: &Places) -> i64 {
    Partition::all()
        .map(|partition| (to[partition] - from[partition]).max(0))
        .sum()
}
