//! The log, read in larger batches than the live model reads, and only what the projection wants of it.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use chrono::DateTime;
use feedmill_events::{Envelope, Partition};
use feedmill_service::sql::named;
use futures::TryStreamExt as _;
use sqlx::{PgConnection, PgPool, query, query_scalar};

use super::{books, replay::distance, show::Show};
use crate::{
    batch::{self, Batch, Logged, Range},
    error::ApplyError,
    log::{self, Places},
    projection::Definition,
};

/// No more bytes of events are read at once, give or take one event.
const MAX_BYTES: usize = 16 << 20;
/// How often a replay that waits looks whether it may go on.
const LOOK: Duration = Duration::from_millis(200);
/// If the live model does not move for so long although it is behind, waiting does not help it.
const PATIENCE: Duration = Duration::from_secs(3);

/// Where events come from.
pub struct Source {
    pub projection: &'static Definition,
    /// One connection.
    pub pool: PgPool,
    /// Events that are passed over, as the live model did.
    pub skipped: BTreeSet<(Partition, i64)>,
    /// In events.
    pub max_live_lag: i64,
}

impl Source {
    /// At most `size` events of what is between two places; empty at the end.
    pub async fn read(
        &self,
        after: &Places,
        upto: &Places,
        size: i64,
    ) -> Result<Batch, ApplyError> {
        let mut batch = Batch {
            ranges: log::plan(Partition::all(), after, upto, size),
            events: vec![],
            trace: None,
        };
        if !batch.ranges.is_empty() {
            let mut db = self.pool.acquire().await.map_err(ApplyError::Log)?;
            self.read_wanted(&mut batch, &mut db).await?;
            let found = count(&batch.ranges, &mut db).await?;
            drop(db);
            if found != batch::total(&batch.ranges) {
                // Says which event is missing.
                log::read(&self.pool, self.projection, &batch.ranges).await?;
                return Err(ApplyError::Conflict);
            }
        }
        Ok(batch)
    }

    /// The batch's events, in order; shortens its ranges if they are too large.
    async fn read_wanted(
        &self,
        batch: &mut Batch,
        db: &mut PgConnection,
    ) -> Result<(), ApplyError> {
        let [partitions, after, upto] = columns(&batch.ranges);
        let wants: Vec<String> = self
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
            &wants,
        );
        let mut rows = statement.fetch(db);
        let mut bytes = 0;
        while let Some(row) = rows.try_next().await.map_err(ApplyError::Log)? {
            let Ok(partition) = Partition::try_from(row.partition) else {
                continue;
            };
            bytes += row.body.len();
            if !self.skipped.contains(&(partition, row.seq)) {
                let logged = decode(partition, row.seq, &row.body)?;
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

    /// The live generation, and how far it is.
    pub async fn live(&self) -> Result<(i32, Places), ApplyError> {
        books::live(self.projection, &mut *self.pool.acquire().await?).await
    }

    /// Whether commands come in just now: then a processor is left to them and to the readers.
    pub async fn is_busy(&self) -> Result<bool, ApplyError> {
        let before = log::heads(&self.pool).await?;
        tokio::time::sleep(LOOK).await;
        Ok(log::heads(&self.pool).await? != before)
    }

    /// Waits while the live model is too far behind, and moves. Returns how many events the log has.
    pub async fn give_way(&self, show: &mut Show) -> Result<i64, ApplyError> {
        let mut moved = (Instant::now(), i64::MIN);
        loop {
            let (_, live) = self.live().await?;
            let heads = log::heads(&self.pool).await?;
            let lag = distance(&live, &heads);
            let place = distance(&Places::default(), &live);
            if place > moved.1 {
                moved = (Instant::now(), place);
            }
            if lag <= self.max_live_lag || moved.0.elapsed() > PATIENCE {
                return Ok(distance(&Places::default(), &heads));
            }
            show.waits(self.projection, lag);
            tokio::time::sleep(LOOK).await;
        }
    }
}

fn decode(partition: Partition, seq: i64, body: &[u8]) -> Result<Logged, ApplyError> {
    let Envelope { at, event } = Envelope::decode(body).map_err(|source| ApplyError::Decode {
        partition,
        seq,
        source,
    })?;
    let at = DateTime::from_timestamp_millis(at).ok_or(ApplyError::Time(at))?;
    Ok(Logged { at, event })
}

/// How many events the log has in these ranges.
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
