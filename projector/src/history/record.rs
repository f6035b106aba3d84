//! What the readers of the stream and of PostgreSQL share.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use feedmill_events::Partition;

/// An event, as it was stored.
#[derive(Debug)]
pub struct Record {
    pub partition: Partition,
    pub seq: i64,
    /// The name of the event's type.
    pub kind: String,
    pub trace: Option<String>,
    pub body: Bytes,
}

/// A part of the log.
#[derive(Debug, Clone)]
pub struct Part {
    pub partitions: Vec<Partition>,
    /// Starts with this sequence number in every partition.
    pub from: Option<i64>,
    /// Starts with the first event of each partition that happened at this time or later.
    pub since: Option<DateTime<Utc>>,
}

/// Takes records one by one, and returns false when it wants no more.
pub trait Sink: FnMut(&Record) -> anyhow::Result<bool> {}
impl<F: FnMut(&Record) -> anyhow::Result<bool>> Sink for F {}
