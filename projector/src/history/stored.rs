//! Reads the log from PostgreSQL.

use chrono::{DateTime, Utc};
use feedmill_events::Partition;
use feedmill_service::sql::named;
use sqlx::{PgExecutor, PgPool, query};

use super::record::{Part, Record, Sink};
use crate::{error::ApplyError, log::Offsets};

/// The stream publishes events after they happen, but the clocks of two machines may differ by this much.
const CLOCK_TOLERANCE: chrono::TimeDelta = chrono::TimeDelta::minutes(1);
/// The maximum number of events that are read at once.
const MAX_EVENTS: i64 = 1_000;

/// The offsets before the first events of a part, and a time before which none of them was published. None for the
/// beginning of the log.
pub async fn start(
    pool: &PgPool,
    part: &Part,
    heads: &Offsets,
) -> sqlx::Result<(Offsets, Option<DateTime<Utc>>)> {
    let mut done = Offsets::default();
    if part.from.is_none() && part.since.is_none() {
        return Ok((done, None));
    }
    for partition in &part.partitions {
        done[*partition] = heads[*partition];
    }
    let statement = query!(
        r#"/* history.start */
        SELECT partition, min(seq) AS "seq!", min(at) AS "at!" FROM write.events
        WHERE partition = ANY($1) AND seq >= coalesce($2::bigint, 1)
            AND at >= coalesce($3::timestamptz, '-infinity')
        GROUP BY partition"#,
        &part
            .partitions
            .iter()
            .map(|p| i16::from(*p))
            .collect::<Vec<_>>(),
        part.from,
        part.since,
    );
    let mut earliest: Option<DateTime<Utc>> = None;
    for row in named("history.start", statement.fetch_all(pool)).await? {
        if let Ok(partition) = Partition::try_from(row.partition) {
            done[partition] = heads[partition].min(row.seq - 1);
            earliest = Some(earliest.map_or(row.at, |at| at.min(row.at)));
        }
    }
    Ok((done, earliest.map(|at| at - CLOCK_TOLERANCE)))
}

/// Passes the events of a partition up to `upto` to the sink. Returns false if the sink wants no more. Errors: a missing
/// event.
pub async fn fill(
    pool: &PgPool,
    partition: Partition,
    upto: i64,
    done: &mut Offsets,
    sink: &mut impl Sink,
) -> anyhow::Result<bool> {
    while done[partition] < upto {
        let statement = query!(
            "/* history.read */
            SELECT seq, type AS kind, trace, body FROM write.events
            WHERE partition = $1 AND seq > $2 AND seq <= $3 ORDER BY seq LIMIT $4",
            i16::from(partition),
            done[partition],
            upto,
            MAX_EVENTS,
        );
        let rows = named("history.read", statement.fetch_all(pool)).await?;
        let expected = done[partition] + 1;
        if rows.first().is_none_or(|row| row.seq != expected) {
            return Err(ApplyError::MissingEvent {
                partition,
                seq: expected,
            }
            .into());
        }
        for row in rows {
            done[partition] = row.seq;
            let record = Record {
                partition,
                seq: row.seq,
                kind: row.kind,
                trace: row.trace,
                body: row.body.into(),
            };
            if !sink(&record)? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// The number of events by type, for one type or all.
pub async fn count(
    db: impl PgExecutor<'_>,
    part: &Part,
    kind: Option<&str>,
) -> sqlx::Result<Vec<(String, i64)>> {
    let statement = query!(
        r#"/* history.count */
        SELECT type AS kind, count(*) AS "count!" FROM write.events
        WHERE partition = ANY($1) AND seq >= coalesce($2::bigint, 1)
            AND at >= coalesce($3::timestamptz, '-infinity')
            AND ($4::text IS NULL OR type = $4)
        GROUP BY type ORDER BY type"#,
        &part
            .partitions
            .iter()
            .map(|p| i16::from(*p))
            .collect::<Vec<_>>(),
        part.from,
        part.since,
        kind,
    );
    let rows = named("history.count", statement.fetch_all(db)).await?;
    Ok(rows.into_iter().map(|row| (row.kind, row.count)).collect())
}
