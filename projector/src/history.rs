//! The log's events for people: from its beginning or a later position, to its end or for ever; or in pages, latest first.
//!
//! For a dump, events are read from the stream, which spares the database. What the stream lacks (deleted or expired messages, all of
//! them without NATS) is read from `write.events`. So the events of a partition are always in order and complete.

mod browse;
mod lost;
mod record;
mod shown;
mod stored;
mod streamed;
mod subject;
mod texts;

use std::time::Duration;

use sqlx::PgPool;
use tokio::time::timeout;

pub use self::{
    browse::{Cursor, Page, Query, browse, records},
    lost::lost,
    record::{Part, Record, Sink},
    shown::ShownEvent,
    stored::count,
    streamed::EventStream,
    subject::{Subject, account_id},
    texts::hide_texts,
};
use crate::log::{self, Offsets};

/// If the stream delivers nothing for this long, the rest is read from PostgreSQL.
const STREAM_TIMEOUT: Duration = Duration::from_secs(2);
/// How often `tail` polls the log in PostgreSQL.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Passes the events of a part to the sink, up to the current end of the log.
pub async fn dump(
    pool: &PgPool,
    stream: Option<EventStream>,
    part: &Part,
    mut sink: impl Sink,
) -> anyhow::Result<()> {
    let heads = log::heads(pool).await?;
    let (mut done, earliest) = stored::start(pool, part, &heads).await?;
    let rest = |done: &Offsets| part.partitions.iter().any(|p| done[*p] < heads[*p]);
    if let Some(source) = stream.filter(|_| rest(&done)) {
        let mut records = streamed::read(source, part, streamed::Start::from(earliest));
        while rest(&done) {
            let Ok(Some(record)) = timeout(STREAM_TIMEOUT, records.recv()).await else {
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

/// Passes events to the sink as they are appended, for ever: from the current end of the log, unless the part has a start.
pub async fn tail(
    pool: &PgPool,
    stream: Option<EventStream>,
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
        // A consumer delivers neither earlier events nor those that the stream lost.
        let heads = log::heads(pool).await?;
        for partition in &part.partitions {
            if !stored::fill(pool, *partition, heads[*partition], &mut done, &mut sink).await? {
                return Ok(());
            }
        }
        let next_poll = tokio::time::Instant::now() + POLL_INTERVAL;
        let live = match (&mut records, &stream) {
            (Some(records), _) => records,
            (none, Some(source)) => {
                none.insert(streamed::read(source.clone(), part, streamed::Start::New))
            }
            (None, None) => {
                tokio::time::sleep_until(next_poll).await;
                continue;
            }
        };
        loop {
            match tokio::time::timeout_at(next_poll, live.recv()).await {
                Ok(Some(record)) => {
                    if !take(pool, record, &mut done, &mut sink).await? {
                        return Ok(());
                    }
                }
                Ok(None) => {
                    records = None;
                    tokio::time::sleep_until(next_poll).await;
                    break;
                }
                Err(_) => break,
            }
        }
    }
}

/// Passes on a record that continues its partition, after the events that are missing before it.
async fn take(
    pool: &PgPool,
    record: Record,
    done: &mut Offsets,
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
