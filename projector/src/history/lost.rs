//! The events that the stream has and the log does not: what a restore of PostgreSQL to an earlier time has lost.

use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use feedmill_events::{PARTITIONS, Partition};
use sqlx::PgPool;
use tokio::time::timeout;

use super::{
    record::{Part, Sink},
    streamed::{self, EventStream, Start},
};

/// How much earlier than the log's last event the stream is read: more than the clocks of two servers differ. What the log has is
/// left out by its sequence number.
const MARGIN: TimeDelta = TimeDelta::minutes(10);

/// A healthy stream delivers its next message within this time.
const STREAM_TIMEOUT: Duration = Duration::from_secs(10);

/// Passes the lost events to the sink, in the order in which they were published. Read this before write-api starts: its relay removes
/// them from the stream. An event that was not published before PostgreSQL went down is not among them. Errors: the stream cannot be
/// read.
pub async fn lost(pool: &PgPool, source: EventStream, mut sink: impl Sink) -> anyhow::Result<()> {
    let (heads, last) = ends(pool).await?;
    let all = Part {
        partitions: Partition::all().collect(),
        from: None,
        since: None,
    };
    let start = Start::from(last.map(|last| last - MARGIN));
    let mut reader = streamed::read_to_end(source, &all, start);
    loop {
        let next = timeout(STREAM_TIMEOUT, reader.records.recv()).await;
        let Some(record) = next.context("the stream does not answer")? else {
            break;
        };
        let head = heads[usize::from(record.partition.number())];
        if record.seq > head && !sink(&record)? {
            break;
        }
    }
    drop(reader.records);
    reader
        .task
        .await?
        .map_err(|error| anyhow::anyhow!("cannot read the stream: {error}"))
}

/// The last sequence number of each partition, and the time of the last event.
async fn ends(pool: &PgPool) -> sqlx::Result<([i64; PARTITIONS as usize], Option<DateTime<Utc>>)> {
    let rows = sqlx::query!(
        r#"/* history.ends */
        SELECT id AS "id!", head AS "head!", at AS "at?" FROM write.partitions LEFT JOIN write.events ON partition = id AND seq = head"#
    );
    let (mut heads, mut last) = ([0; PARTITIONS as usize], None);
    for row in rows.fetch_all(pool).await? {
        if let Some(head) = heads.get_mut(row.id as usize) {
            *head = row.head;
        }
        last = last.max(row.at);
    }
    Ok((heads, last))
}
