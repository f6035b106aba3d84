//! The log, applied to tables that are not live: the next batch is read while one is applied.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use feedmill_events::Partition;
use futures::future;
use sqlx::{Connection as _, PgConnection, PgPool};

use super::{books, show::Show};
use crate::{
    batch::{self, Batch, Range},
    error::ApplyError,
    log::{self, Places},
    projection::{Apply, Context, Projection},
};

/// How often a replay that waits looks whether it may go on.
const LOOK: Duration = Duration::from_millis(200);
/// If the live model does not move for so long although it is behind, waiting does not help it.
const PATIENCE: Duration = Duration::from_secs(3);

/// Where events come from.
pub struct Source {
    pub projection: &'static Projection,
    /// One connection.
    pub pool: PgPool,
    /// Events that are passed over, as the live model did.
    pub skipped: BTreeSet<(Partition, i64)>,
    pub max_live_lag: i64,
}

impl Source {
    /// At most `size` events of what is between two places; empty at the end.
    async fn read(&self, after: &Places, upto: &Places, size: i64) -> Result<Batch, ApplyError> {
        let ranges = log::plan(Partition::all(), after, upto, size);
        let mut entries = if ranges.is_empty() {
            vec![]
        } else {
            log::read(&self.pool, self.projection, &ranges).await?
        };
        if !self.skipped.is_empty() {
            for entry in &mut entries {
                if self.skipped.contains(&(entry.partition, entry.seq)) {
                    entry.body = None;
                }
            }
        }
        Batch::decode(self.projection, entries)
    }

    /// The live generation, and how far it is.
    pub async fn live(&self) -> Result<(i32, Places), ApplyError> {
        books::live(self.projection, &mut *self.pool.acquire().await?).await
    }

    /// Waits while the live model is too far behind, and moves.
    async fn give_way(&self, show: &mut Show) -> Result<(), ApplyError> {
        let mut moved = (Instant::now(), i64::MIN);
        loop {
            let (_, live) = self.live().await?;
            let lag = distance(&live, &log::heads(&self.pool).await?);
            let place = distance(&Places::default(), &live);
            if place > moved.1 {
                moved = (Instant::now(), place);
            }
            if lag <= self.max_live_lag || moved.0.elapsed() > PATIENCE {
                return Ok(());
            }
            show.waits(self.projection, lag);
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Where they are applied to.
pub struct Target<'a> {
    pub projection: &'static Projection,
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

/// Replays up to these places, in batches of at most `size` events.
pub async fn replay(
    source: &Source,
    target: &mut Target<'_>,
    apply: Apply,
    size: i64,
    upto: &Places,
    show: &mut Show,
) -> Result<(), ApplyError> {
    let mut batch = source.read(target.done, upto, size).await?;
    while !batch.ranges.is_empty() {
        source.give_way(show).await?;
        let mut after = target.done.clone();
        pass(&mut after, &batch.ranges);
        let (applied, next) = future::join(
            target.commit(&batch, apply),
            source.read(&after, upto, size),
        )
        .await;
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
