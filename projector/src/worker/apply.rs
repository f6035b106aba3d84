//! Reading and applying a batch, in one transaction with its checkpoints.

use std::{
    io,
    time::{Duration, Instant, UNIX_EPOCH},
};

use feedmill_events::{Advance, Announcement, Changed};
use feedmill_service::telemetry;
use sqlx::Connection as _;
use tokio::time::timeout;
use tracing::Instrument as _;

use super::Worker;
use crate::{
    announce,
    batch::{self, Batch, Entry, Range},
    checkpoint,
    error::ApplyError,
    log, metrics as names,
    store::answer,
};

/// The server ends each statement before. Longer than this is a connection that is silent by itself, while heartbeats
/// come through.
const BATCH_WITHIN: Duration = Duration::from_mins(5);

impl Worker {
    /// Applies these ranges from the log, or as much of them as is read at once.
    pub(super) async fn step(&mut self, ranges: &[Range]) -> Result<(), ApplyError> {
        let db = self.job.store.connection().await?;
        let entries = log::read(db, self.job.projection, ranges).await?;
        self.apply(entries, "log").await
    }

    /// Applies entries that continue the checkpoints, and moves those.
    pub(super) async fn apply(
        &mut self,
        entries: Vec<Entry>,
        source: &'static str,
    ) -> Result<(), ApplyError> {
        let name = self.job.projection.name();
        let batch = Batch::decode(self.job.projection, entries)?;
        let size = batch::total(&batch.ranges).unsigned_abs();
        let span = tracing::info_span!(
            "projection.apply",
            otel.name = format!("projection.{name}.apply"),
            projection = name,
            events = size,
            wanted = batch.events.len(),
        );
        if let Some(trace) = &batch.trace {
            telemetry::set_parent(&span, trace);
        }
        let start = Instant::now();
        let commit = timeout(BATCH_WITHIN, self.commit(&batch).instrument(span));
        let silence = |_| ApplyError::Sql(sqlx::Error::Io(io::ErrorKind::TimedOut.into()));
        let changed = commit.await.map_err(silence)??;
        metrics::histogram!(names::BATCH_SECONDS, "projection" => name).record(start.elapsed());
        metrics::counter!(names::EVENTS, "projection" => name, "source" => source).increment(size);
        let now = UNIX_EPOCH.elapsed().unwrap_or_default();
        metrics::gauge!(names::LAST_PROGRESS, "projection" => name).set(now.as_secs_f64());
        for range in &batch.ranges {
            self.done[range.partition] = range.upto;
        }
        self.succeeded();
        self.announce(&batch.ranges, changed).await;
        Ok(())
    }

    /// The lease is looked at before and after the work, since a process may be stopped anywhere.
    async fn commit(&mut self, batch: &Batch) -> Result<Changed, ApplyError> {
        self.job.lease.check()?;
        let mut tx = answer(self.job.store.connection().await?.begin()).await?;
        checkpoint::advance(self.job.projection, self.generation, &batch.ranges, &mut tx).await?;
        let mut tags = vec![];
        if !batch.events.is_empty() {
            tags = (self.job.projection.apply)(batch, &self.job.context, &mut tx).await?;
        }
        self.job.lease.check()?;
        tx.commit().await?;
        Ok(announce::changed(tags))
    }

    /// Tells everyone how far the projection is, and what changed.
    pub(super) async fn announce(&self, ranges: &[Range], changed: Changed) {
        let announcement = Announcement {
            projection: self.job.projection.projection,
            generation: self.generation,
            progress: ranges
                .iter()
                .map(|range| Advance {
                    partition: range.partition,
                    from: range.after,
                    to: range.upto,
                })
                .collect(),
            changed,
        };
        announce::announce(&self.job.nats, &announcement).await;
    }
}
