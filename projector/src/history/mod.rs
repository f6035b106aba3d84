//! The log for people: from the beginning or from some place, to its end or for ever.
//!
//! Read from the stream, which can do that without troubling the database; what the stream lacks (a deleted
//! message, the part that it no longer keeps, all of it without NATS) is read from `write.events`. So a
//! partition's events always come in order, and none is missing.

mod stored;
mod streamed;

use std::time::Duration;

use async_nats::Client;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use feedmill_events::Partition;
use sqlx::PgPool;
use tokio::time::timeout;

pub use self::stored::count;
use crate::log::{self, Places};

/// Events published so much before they were decided, by the clocks of machines that disagree.
const CLOCKS: chrono::TimeDelta = chrono::TimeDelta::minutes(1);
/// If nothing comes from the stream for so long, the rest is read from the log.
const SILENCE: Duration = Duration::from_secs(2);
/// How often a follower looks at the log itself.
const LOOK: Duration = Duration::from_secs(1);

/// An event, as it was stored.
#[derive(Debug)]
pub struct Record {
    pub partition: Partition,
    pub seq: i64,
    pub kind: String,
    pub trace: Option<String>,
    pub body: Bytes,
}

/// Which part of the log.
#[derive(Debug, Clone)]
pub struct Part {
    pub partitions: Vec<Partition>,
    /// From this sequence number on, in every partition.
    pub from: Option<i64>,
    /// From the first event of each partition on that happened then or later.
    pub since: Option<DateTime<Utc>>,
}

/// Takes events one by one; false when it wants no more.
pub trait Sink: FnMut(&Record) -> anyhow::Result<bool> {}
impl<F: FnMut(&Record) -> anyhow::Result<bool>> Sink for F {}

/// Reads the log to where it ends now.
pub async fn dump(
    pool: &PgPool,
    nats: Option<Client>,
    part: &Part,
    mut sink: impl Sink,
) -> anyhow::Result<()> {
    let heads = log::heads(pool).await?;
    let (mut done, earliest) = stored::start(pool, part, &heads).await?;
    let rest = |done: &Places| part.partitions.iter().any(|p| done[*p] < heads[*p]);
    if let Some(client) = nats.filter(|_| rest(&done)) {
        let mut records = streamed::read(client, part, streamed::Start::from(earliest));
        while rest(&done) {
            let Ok(Some(record)) = timeout(SILENCE, records.recv()).await else {
                break;
            };
            if record.seq > heads[record.partition] {
                continue;
            }
            if !take(pool, record, &mut done, &mut sink).await? {
                return Ok(());
            }
        }
    }
    for partition in &part.partitions {
        if !stored::fill(pool, *partition, heads[*partition], &mut done, &mut sink).await? {
            break;
        }
    }
    Ok(())
}

/// Gives events as they come, for ever; from where the log ends now, unless the part says otherwise.
pub async fn tail(
    pool: &PgPool,
    nats: Option<Client>,
    part: &Part,
    mut sink: impl Sink,
) -> anyhow::Result<()> {
    let heads = log::heads(pool).await?;
    let mut done = if part.from.is_none() && part.since.is_none() {
        heads
    } else {
        stored::start(pool, part, &heads).await?.0
    };
    let mut records = None;
    loop {
        // What came before there was a consumer does not come by itself, nor what the stream lost.
        let heads = log::heads(pool).await?;
        for partition in &part.partitions {
            if !stored::fill(pool, *partition, heads[*partition], &mut done, &mut sink).await? {
                return Ok(());
            }
        }
        let look = tokio::time::Instant::now() + LOOK;
        let live = match (&mut records, &nats) {
            (Some(records), _) => records,
            (none, Some(client)) => {
                none.insert(streamed::read(client.clone(), part, streamed::Start::New))
            }
            (None, None) => {
                tokio::time::sleep_until(look).await;
                continue;
            }
        };
        loop {
            match tokio::time::timeout_at(look, live.recv()).await {
                Ok(Some(record)) => {
                    if !take(pool, record, &mut done, &mut sink).await? {
                        return Ok(());
                    }
                }
                Ok(None) => {
                    records = None;
                    tokio::time::sleep_until(look).await;
                    break;
                }
                Err(_) => break,
            }
        }
    }
}

/// Passes on what continues a partition, after what is missing before it.
async fn take(
    pool: &PgPool,
    record: Record,
    done: &mut Places,
    sink: &mut impl Sink,
) -> anyhow::Result<bool> {
    let (partition, seq) = (record.partition, record.seq);
    if seq <= done[partition] {
        return Ok(true);
    }
    if !stored::fill(pool, partition, seq - 1, done, sink).await? {
        return Ok(false);
    }
    done[partition] = seq;
    sink(&record)
}
