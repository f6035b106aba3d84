//! Reads the log for a rebuild: larger batches than in the live model, and only events of the projection's types.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use feedmill_events::Partition;
use feedmill_service::sql::named;
use futures::TryStreamExt as _;
use sqlx::{PgConnection, PgPool, query, query_scalar};

use super::{control, output::Output};
use crate::{
    batch::{self, Batch, LoggedEvent, Range},
    error::ApplyError,
    log::{self, Offsets, distance},
    projection::Definition,
};

/// The maximum size of the events that are read at once, exceeded by at most one event.
const MAX_BYTES: usize = 16 << 20;
/// How often a waiting replay checks whether it may continue.
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// If the live model is behind and has not moved for this long, waiting does not help it.
const STALL_TIMEOUT: Duration = Duration::from_secs(3);

/// What a rebuild reads.
pub struct Source {
    pub projection: &'static Definition,
    /// With one connection.
    pub pool: PgPool,
    /// Events that are not applied because the live model skipped them.
    pub skipped: BTreeSet<(Partition, i64)>,
    /// The replay waits while the live model is further behind the log, in events.
    pub max_live_lag: i64,
}

impl Source {
    /// Reads at most `size` of the events after `after` and up to `upto`. Returns an empty batch at the end.
    pub async fn read(
        &self,
        after: &Offsets,
        upto: &Offsets,
        size: i64,
    ) -> Result<Batch, ApplyError> {
        let mut batch = Batch {
            ranges: log::plan(Partition::all(), after, upto, size),
            events: vec![],
            trace: None,
        };
        if !batch.ranges.is_empty() {
            let mut db = self.pool.acquire().await.map_err(ApplyError::Log)?;
            self.read_events(&mut batch, &mut db).await?;
            let found = count(&batch.ranges, &mut db).await?;
            drop(db);
            if found != batch::total(&batch.ranges) {
                // Fails with the event that is missing.
                log::read(&self.pool, self.projection.event_types, &batch.ranges).await?;
                return Err(ApplyError::Conflict);
            }
        }
        Ok(batch)
    }

    /// Reads the events of the batch's ranges, and shortens the ranges to `MAX_BYTES`.
    async fn read_events(
        &self,
        batch: &mut Batch,
        db: &mut PgConnection,
    ) -> Result<(), ApplyError> {
        let [partitions, after, upto] = columns(&batch.ranges);
        let event_types: Vec<String> = self
            .projection
            .event_types
            .iter()
            .map(ToString::to_string)
            .collect();
        let statement = query!(
            r#"/* rebuild.read */
            SELECT e.partition AS "partition!", e.seq AS "seq!", e.body AS "body!"
            FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS r(partition, after, upto)
            CROSS JOIN LATERAL (
                SELECT w.partition, w.seq, w.body FROM write.events w
                WHERE w.partition = r.partition::smallint AND w.seq > r.after AND w.seq <= r.upto
                    AND w.type = ANY($4)
            ) e
            ORDER BY 1, 2"#,
            &partitions,
            &after,
            &upto,
            &event_types,
        );
        let mut rows = statement.fetch(db);
        let mut bytes = 0;
        while let Some(row) = rows.try_next().await.map_err(ApplyError::Log)? {
            let Ok(partition) = Partition::try_from(row.partition) else {
                continue;
            };
            bytes += row.body.len();
            if !self.skipped.contains(&(partition, row.seq)) {
                let logged = LoggedEvent::decode(partition, row.seq, &row.body)?;
                batch.events.push(logged);
            }
            if bytes >= MAX_BYTES {
                batch.ranges.retain(|range| range.partition <= partition);
                if let Some(last) = batch.ranges.last_mut() {
                    last.upto = row.seq;
                }
                break;
            }
        }
        Ok(())
    }

    /// The live generation and its checkpoints.
    pub async fn live(&self) -> Result<(i32, Offsets), ApplyError> {
        control::live(self.projection, &mut *self.pool.acquire().await?).await
    }

    /// Whether commands are coming in: then the rebuild leaves a processor to them and to readers.
    pub async fn is_busy(&self) -> Result<bool, ApplyError> {
        let before = log::heads(&self.pool).await?;
        tokio::time::sleep(POLL_INTERVAL).await;
        Ok(log::heads(&self.pool).await? != before)
    }

    /// Waits while the live model is too far behind the log and is catching up. Returns the number of events in the log.
    pub async fn throttle(&self, output: &mut Output) -> Result<i64, ApplyError> {
        let mut last_progress = (Instant::now(), i64::MIN);
        loop {
            let (_, live) = self.live().await?;
            let heads = log::heads(&self.pool).await?;
            let lag = distance(&live, &heads);
            let position = distance(&Offsets::default(), &live);
            if position > last_progress.1 {
                last_progress = (Instant::now(), position);
            }
            if lag <= self.max_live_lag || last_progress.0.elapsed() > STALL_TIMEOUT {
                return Ok(distance(&Offsets::default(), &heads));
            }
            output.throttled(self.projection, lag);
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
}

/// The number of events that the log has in these ranges.
async fn count(ranges: &[Range], db: &mut PgConnection) -> Result<i64, ApplyError> {
    let [partitions, after, upto] = columns(ranges);
    let statement = query_scalar!(
        r#"/* rebuild.count */
        SELECT count(*) AS "count!"
        FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS r(partition, after, upto)
        JOIN write.events e
            ON e.partition = r.partition::smallint AND e.seq > r.after AND e.seq <= r.upto"#,
        &partitions,
        &after,
        &upto,
    );
    named("rebuild.count", statement.fetch_one(db))
        .await
        .map_err(ApplyError::Log)
}

fn columns(ranges: &[Range]) -> [Vec<i64>; 3] {
    let column = |of: fn(&Range) -> i64| ranges.iter().map(of).collect();
    [
        column(|range| i64::from(range.partition.number())),
        column(|range| range.after),
        column(|range| range.upto),
    ]
}
