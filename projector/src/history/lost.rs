//! The events that the stream has and the log does not: what a restore of PostgreSQL to an earlier time has lost.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    time::Duration,
};

use anyhow::Context as _;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use feedmill_events::{Envelope, Partition};
use sqlx::{PgConnection, PgPool};
use tokio::time::timeout;

use super::{
    browse::records,
    record::{Part, Record, Sink},
    streamed::{self, EventStream, Start},
};
use crate::{log::Offsets, stream_lag::stream_state};

/// How much earlier than the log's last event the stream is read: more than the clocks of two servers differ.
const MARGIN: TimeDelta = TimeDelta::minutes(10);

/// A healthy stream delivers its next message within this time.
const STREAM_TIMEOUT: Duration = Duration::from_secs(10);

/// How many events are compared with the log at once.
const BATCH: usize = 1_000;

/// Sequence numbers of a partition whose events may be lost, too, and were not read from the stream.
#[derive(Debug, PartialEq, Eq)]
pub struct Missing {
    partition: Partition,
    /// None: from an unknown one on.
    first: Option<i64>,
    last: i64,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            partition,
            first,
            last,
        } = self;
        match first {
            Some(first) => write!(f, "{partition}:{first} to {partition}:{last}"),
            None => write!(f, "some up to {partition}:{last}"),
        }
    }
}

/// Passes the lost events to the sink, in the order in which they were published. Read this before write-api publishes again. Returns which
/// ones may be missing: because the stream has lost them, or because it was not read from its beginning (`whole`). An event that was not
/// published before PostgreSQL went down is neither found nor missing. Errors: the stream or the log cannot be read.
pub async fn lost(
    pool: &PgPool,
    source: EventStream,
    whole: bool,
    mut sink: impl Sink,
) -> anyhow::Result<Vec<Missing>> {
    let mut db = pool.acquire().await?;
    let log = LogEnd::read(&mut db).await?;
    let stream = stream_state(&source.client, &source.key, &mut db, &log.heads).await;
    let stream = stream.map_err(anyhow::Error::msg)?;
    let part = Part {
        partitions: stream.forked.iter().copied().collect(),
        from: None,
        since: None,
    };
    if part.partitions.is_empty() {
        return Ok(vec![]);
    }
    let latest = log.at.values().max().filter(|_| !whole);
    let start = Start::from(latest.map(|at| *at - MARGIN));
    let mut reader = streamed::read_to_end(source, &part, start);
    let (mut seen, mut missing) = (BTreeMap::new(), Vec::new());
    loop {
        let mut batch = Vec::with_capacity(BATCH);
        let read = timeout(STREAM_TIMEOUT, reader.records.recv_many(&mut batch, BATCH));
        if read.await.context("the stream does not answer")? == 0 {
            break;
        }
        let logged = logged(&batch, &mut db).await?;
        for record in &batch {
            let (partition, seq) = (record.partition, record.seq);
            let is_lost = logged.get(&(partition, seq)) != Some(&record.body);
            match seen.insert(partition, seq) {
                Some(before) if seq > before + 1 => missing.push(Missing {
                    partition,
                    first: Some(before + 1),
                    last: seq - 1,
                }),
                None if is_lost && !log.ends_before(record) => missing.push(Missing {
                    partition,
                    first: None,
                    last: seq - 1,
                }),
                _ => {}
            }
            if is_lost && !sink(record)? {
                return Ok(missing);
            }
        }
    }
    let read = reader.task.await?;
    read.map_err(|error| anyhow::anyhow!("cannot read the stream: {error}"))?;
    let unread = stream.forked.iter().filter(|it| !seen.contains_key(it));
    missing.extend(unread.map(|partition| Missing {
        partition: *partition,
        first: None,
        last: stream.offsets[*partition],
    }));
    Ok(missing)
}

/// The bodies of the log's events in the places of these.
async fn logged(
    batch: &[Record],
    db: &mut PgConnection,
) -> sqlx::Result<HashMap<(Partition, i64), Bytes>> {
    let places: Vec<_> = batch.iter().map(|it| (it.partition, it.seq)).collect();
    let found = records(&places, db).await?.into_iter();
    Ok(found.map(|it| ((it.partition, it.seq), it.body)).collect())
}

/// Where the log ends.
struct LogEnd {
    heads: Offsets,
    /// The time of the last event of each partition.
    at: BTreeMap<Partition, DateTime<Utc>>,
}

impl LogEnd {
    async fn read(db: &mut PgConnection) -> sqlx::Result<Self> {
        let rows = sqlx::query!(
            r#"/* history.ends */
            SELECT id AS "id!", head AS "head!", at AS "at?"
            FROM write.partitions LEFT JOIN write.events ON partition = id AND seq = head"#
        );
        let mut end = Self {
            heads: Offsets::default(),
            at: BTreeMap::new(),
        };
        for row in rows.fetch_all(db).await? {
            if let Ok(partition) = Partition::try_from(row.id) {
                end.heads[partition] = row.head;
                end.at.extend(row.at.map(|at| (partition, at)));
            }
        }
        Ok(end)
    }

    /// Whether the log ended before a lost event, the first one that was read of its partition: then none was lost before it. If the log
    /// has grown since it was restored, there may be.
    fn ends_before(&self, record: &Record) -> bool {
        let at = Envelope::decode(&record.body).ok().map(|it| it.at);
        let last = self.at.get(&record.partition);
        let is_later = last.is_none_or(|last| at.is_some_and(|at| at >= last.timestamp_millis()));
        record.seq == self.heads[record.partition] + 1 && is_later
    }
}
