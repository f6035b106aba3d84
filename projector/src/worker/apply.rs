//! Applies a batch, in one transaction with its checkpoints.

use std::{
    io,
    time::{Duration, Instant, UNIX_EPOCH},
};

use feedmill_events::{Advance, Announcement, Changed};
use feedmill_service::telemetry;
use sqlx::Connection as _;
use tokio::time::timeout;
use tracing::Instrument as _;

use super::state::Worker;
use crate::{
    announce,
    batch::{self, Batch, Entry, Range},
    checkpoint,
    connection::with_timeout,
    error::ApplyError,
    log, metrics as names,
};

/// The server ends each statement earlier. This ends a batch whose connection is dead while heartbeats get through.
const BATCH_TIMEOUT: Duration = Duration::from_mins(5);

impl Worker {
    /// Applies these ranges from the log, or as much of them as is read at once.
    pub(super) async fn apply_from_log(&mut self, ranges: &[Range]) -> Result<(), ApplyError> {
        let db = self.job.connection.get().await?;
        let entries = log::read(db, self.job.projection.event_types, ranges).await?;
        self.apply(entries, "log").await
    }

    /// Applies entries that continue the checkpoints, moves the checkpoints and announces the changes. `source` is a
    /// metric label.
    pub(super) async fn apply(
        &mut self,
        entries: Vec<Entry>,
        source: &'static str,
    ) -> Result<(), ApplyError> {
        let name = self.job.projection.name();
        let batch = Batch::decode(self.job.projection.event_types, entries)?;
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
        let announcing = tracing::info_span!(
            parent: &span,
            "projection.announce",
            otel.name = format!("projection.{name}.announce"),
            otel.kind = "producer",
        );
        let commit = timeout(BATCH_TIMEOUT, self.commit(&batch).instrument(span));
        let timed_out = |_| ApplyError::Sql(sqlx::Error::Io(io::ErrorKind::TimedOut.into()));
        let changed = commit.await.map_err(timed_out)??;
        metrics::histogram!(names::BATCH_SECONDS, "projection" => name).record(start.elapsed());
        metrics::counter!(names::EVENTS, "projection" => name, "source" => source).increment(size);
        let now = UNIX_EPOCH.elapsed().unwrap_or_default();
        metrics::gauge!(names::LAST_PROGRESS, "projection" => name).set(now.as_secs_f64());
        for range in &batch.ranges {
            self.checkpoints[range.partition] = range.upto;
        }
        self.reset_failures();
        let announced = self.announce(&batch.ranges, changed);
        announced.instrument(announcing).await;
        Ok(())
    }

    /// Checks the lease before and after the work, since the process may be suspended at any point.
    async fn commit(&mut self, batch: &Batch) -> Result<Changed, ApplyError> {
        let projection = self.job.projection;
        self.job.lease.check()?;
        let mut tx = with_timeout(self.job.connection.get().await?.begin()).await?;
        checkpoint::advance(projection, self.generation, &batch.ranges, &mut tx).await?;
        let mut tags = vec![];
        if !batch.events.is_empty() {
            tags = (projection.apply)(batch, &self.job.context, &mut tx).await?;
        }
        self.job.lease.check()?;
        tx.commit().await?;
        Ok(announce::changed(tags))
    }

    /// Announces how far the projection is and what changed.
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
        self.job.announcer.announce(&announcement).await;
    }
}
