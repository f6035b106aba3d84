//! The log, `write.events`: the source of truth. Only ever read here.

mod places;
mod plan;

use bytes::Bytes;
use feedmill_events::{PARTITIONS, Partition};
use feedmill_service::sql::named;
use sqlx::{PgExecutor, query};

pub use self::{places::Places, plan::plan};
use crate::{
    batch::{Entry, Range},
    error::ApplyError,
    projection::Definition,
    store::answer,
};

/// No more bytes of events are read at once, give or take one event, so that memory stays bounded
/// whatever the texts are.
const MAX_BYTES: i64 = 4 << 20;

/// The last sequence number of every partition.
pub async fn heads(db: impl PgExecutor<'_>) -> Result<Places, ApplyError> {
    let statement = query!("/* log.heads */ SELECT id, head FROM write.partitions");
    let mut heads = Places::default();
    for row in named("log.heads", answer(statement.fetch_all(db)))
        .await
        .map_err(ApplyError::Log)?
    {
        if let Ok(partition) = Partition::try_from(row.id) {
            heads[partition] = row.head;
        }
    }
    Ok(heads)
}

/// The events of these ranges, each range's in order, in one statement; the bodies only of those that the
/// projection wants. Stops at `MAX_BYTES`, so that the last ranges may come short. Errors: an event that is
/// not there, which is never so in a sound log.
pub async fn read(
    db: impl PgExecutor<'_>,
    projection: &Definition,
    ranges: &[Range],
) -> Result<Vec<Entry>, ApplyError> {
    let wants: Vec<String> = projection
        .event_types
        .iter()
        .map(ToString::to_string)
        .collect();
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
        &wants,
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
            return Err(ApplyError::Hole {
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
    // What is short of a range's end must be short because of the limit.
    if i64::try_from(bytes).is_ok_and(|bytes| bytes < MAX_BYTES) {
        for range in ranges {
            let seq = next[usize::from(range.partition.number())];
            if seq <= range.upto {
                return Err(ApplyError::Hole {
                    partition: range.partition,
                    seq,
                });
            }
        }
    }
    Ok(entries)
}
