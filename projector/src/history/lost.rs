//! The events that the stream has and the log does not: what a restore of PostgreSQL to an earlier time has lost.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use feedmill_events::Partition;
use sqlx::PgPool;
use tokio::time::timeout;

use super::{
    record::{Part, Sink},
    streamed::{self, EventStream, Start},
};
use crate::{log::Offsets, stream_lag};

/// How much earlier than the log's last event the stream is read: more than the clocks of two servers differ. What the log has is
/// left out by its sequence number.
const MARGIN: TimeDelta = TimeDelta::minutes(10);

/// A healthy stream delivers its next message within this time.
const STREAM_TIMEOUT: Duration = Duration::from_secs(10);

/// Sequence numbers of a partition whose events are lost and were not found in the stream.
#[derive(Debug)]
pub struct Missing {
    pub partition: Partition,
    pub first: i64,
    pub last: i64,
}

/// Passes the lost events to the sink, in the order in which they were published. Read this before write-api starts. Returns which of
/// those before the stream's last event were not found: because the stream has lost them, or because it was not read from its beginning
/// (`whole`). An event that was not published before PostgreSQL went down is neither found nor missed. Errors: the stream cannot be read.
pub async fn lost(
    pool: &PgPool,
    source: EventStream,
    whole: bool,
    mut sink: impl Sink,
) -> anyhow::Result<Vec<Missing>> {
    let (heads, last) = ends(pool).await?;
    let (ends, _) = stream_lag::last_events(&source.client)
        .await
        .map_err(anyhow::Error::msg)?;
    let ends = ends.into_iter();
    let ends: BTreeMap<Partition, i64> = ends
        .filter_map(|(partition, event)| Some((partition, event?.seq)))
        .filter(|(partition, seq)| *seq > heads[*partition])
        .collect();
    if ends.is_empty() {
        return Ok(vec![]);
    }
    let part = Part {
        partitions: ends.keys().copied().collect(),
        from: None,
        since: None,
    };
    let start = last.filter(|_| !whole).map(|last| last - MARGIN);
    let mut reader = streamed::read_to_end(source, &part, Start::from(start));
    let (mut done, mut missing) = (heads, Vec::new());
    loop {
        let next = timeout(STREAM_TIMEOUT, reader.records.recv()).await;
        let Some(record) = next.context("the stream does not answer")? else {
            break;
        };
        let partition = record.partition;
        if record.seq <= done[partition] {
            continue;
        }
        missing.extend(gap(partition, done[partition], record.seq - 1));
        done[partition] = record.seq;
        if !sink(&record)? {
            break;
        }
    }
    drop(reader.records);
    let read = reader.task.await?;
    read.map_err(|error| anyhow::anyhow!("cannot read the stream: {error}"))?;
    missing.extend(
        ends.iter()
            .filter_map(|(partition, last)| gap(*partition, done[*partition], *last)),
    );
    Ok(missing)
}

fn gap(partition: Partition, done: i64, last: i64) -> Option<Missing> {
    (done < last).then_some(Missing {
        partition,
        first: done + 1,
        last,
    })
}

/// The last sequence number of each partition, and the time of the last event.
async fn ends(pool: &PgPool) -> sqlx::Result<(Offsets, Option<DateTime<Utc>>)> {
    let rows = sqlx::query!(
        r#"/* history.ends */
        SELECT id AS "id!", head AS "head!", at AS "at?" FROM write.partitions LEFT JOIN write.events ON partition = id AND seq = head"#
    );
    let (mut heads, mut last) = (Offsets::default(), None);
    for row in rows.fetch_all(pool).await? {
        if let Ok(partition) = Partition::try_from(row.id) {
            heads[partition] = row.head;
        }
        last = last.max(row.at);
    }
    Ok((heads, last))
}
