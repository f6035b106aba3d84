//! The event log, `write.events`: the source of truth. The projector only reads it.

mod offsets;
mod plan;

use bytes::Bytes;
use feedmill_events::{EventType, PARTITIONS, Partition};
use feedmill_service::sql::named;
use sqlx::{PgExecutor, query};

pub use self::{
    offsets::{Offsets, distance},
    plan::plan,
};
use crate::{
    batch::{Entry, Range},
    connection::with_timeout,
    error::ApplyError,
};

/// The maximum size of the events that are read at once, exceeded by at most one event. It bounds memory for any length of
/// texts.
const MAX_BYTES: i64 = 4 << 20;

/// The last sequence number of every partition.
pub async fn heads(db: impl PgExecutor<'_>) -> Result<Offsets, ApplyError> {
    let statement = query!("/* log.heads */ SELECT id, head FROM write.partitions");
    let rows = named("log.heads", with_timeout(statement.fetch_all(db)));
    let rows = rows.await.map_err(ApplyError::Log)?;
    Ok(rows.into_iter().map(|row| (row.id, row.head)).collect())
}

/// Reads the events of these ranges with one statement, each range in order, with bodies only for events of these types.
/// Stops at `MAX_BYTES`, so the last ranges may be cut short. Errors: a missing event, which means that the log is
/// damaged.
pub async fn read(
    db: impl PgExecutor<'_>,
    event_types: &[EventType],
    ranges: &[Range],
) -> Result<Vec<Entry>, ApplyError> {
    let event_types: Vec<String> = event_types.iter().map(ToString::to_string).collect();
    let statement = query!(
        r#"/* log.read */
        SELECT partition AS "partition!", seq AS "seq!", trace, body
        FROM (
            SELECT w.partition, w.seq, w.trace, w.body,
                sum(coalesce(octet_length(w.body), 0)) OVER (
                    ORDER BY w.partition, w.seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                ) AS before
            FROM (
                SELECT e.partition, e.seq, e.trace, CASE WHEN e.type = ANY($4) THEN e.body END AS body
                FROM unnest($1::smallint[], $2::bigint[], $3::bigint[]) AS r(partition, after, upto)
                JOIN write.events e
                    ON e.partition = r.partition AND e.seq > r.after AND e.seq <= r.upto
            ) w
        ) b
        WHERE before IS NULL OR before < $5
        ORDER BY 1, 2"#,
        &ranges
            .iter()
            .map(|range| i16::from(range.partition))
            .collect::<Vec<_>>(),
        &ranges.iter().map(|range| range.after).collect::<Vec<_>>(),
        &ranges.iter().map(|range| range.upto).collect::<Vec<_>>(),
        &event_types,
        MAX_BYTES,
    );
    let rows = named("log.read", statement.fetch_all(db))
        .await
        .map_err(ApplyError::Log)?;
    let mut next = [0; PARTITIONS as usize];
    for range in ranges {
        next[usize::from(range.partition.number())] = range.after + 1;
    }
    let mut entries = Vec::with_capacity(rows.len());
    let mut bytes = 0;
    for row in rows {
        let Ok(partition) = Partition::try_from(row.partition) else {
            continue;
        };
        let expected = &mut next[usize::from(partition.number())];
        if row.seq != *expected {
            return Err(ApplyError::MissingEvent {
                partition,
                seq: *expected,
            });
        }
        *expected += 1;
        bytes += row.body.as_ref().map_or(0, Vec::len);
        entries.push(Entry {
            partition,
            seq: row.seq,
            trace: row.trace,
            body: row.body.map(Bytes::from),
        });
    }
    // Below the limit, every range must be complete.
    if i64::try_from(bytes).is_ok_and(|bytes| bytes < MAX_BYTES) {
        for range in ranges {
            let seq = next[usize::from(range.partition.number())];
            if seq <= range.upto {
                return Err(ApplyError::MissingEvent {
                    partition: range.partition,
                    seq,
                });
            }
        }
    }
    Ok(entries)
}
