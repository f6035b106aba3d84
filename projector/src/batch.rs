//! A batch: consecutive events of some partitions, with those decoded that a projection takes.

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use feedmill_events::{Envelope, Event, EventType, Partition};

use crate::error::ApplyError;

/// An event as the stream or the log has it.
#[derive(Debug, Clone)]
pub struct Entry {
    pub partition: Partition,
    pub seq: i64,
    /// The W3C traceparent of the request that caused it.
    pub trace: Option<String>,
    /// The envelope. None for an event that cannot change the projection.
    pub body: Option<Bytes>,
}

/// The events `after + 1 ..= upto` of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    pub partition: Partition,
    pub after: i64,
    pub upto: i64,
}

impl Range {
    pub fn len(&self) -> i64 {
        self.upto - self.after
    }

    pub fn is_empty(&self) -> bool {
        self.len() <= 0
    }
}

/// A decoded event, with its time.
#[derive(Debug)]
pub struct LoggedEvent {
    pub at: DateTime<Utc>,
    pub event: Event,
}

impl LoggedEvent {
    /// Errors: bytes that do not decode.
    pub fn decode(partition: Partition, seq: i64, body: &[u8]) -> Result<Self, ApplyError> {
        let Envelope { at, event } =
            Envelope::decode(body).map_err(|source| ApplyError::Decode {
                partition,
                seq,
                source,
            })?;
        let at = DateTime::from_timestamp_millis(at).ok_or(ApplyError::InvalidTime(at))?;
        Ok(Self { at, event })
    }
}

#[derive(Debug)]
pub struct Batch {
    /// What the batch covers: at most one range per partition, in ascending order.
    pub ranges: Vec<Range>,
    /// The events of the projection's types; those of one partition are in the log's order.
    pub events: Vec<LoggedEvent>,
    /// The first trace among these events.
    pub trace: Option<String>,
}

impl Batch {
    /// Decodes the events of these types. `entries` has each partition's events consecutively and in order. Errors: an
    /// event that does not decode.
    pub fn decode(event_types: &[EventType], entries: Vec<Entry>) -> Result<Self, ApplyError> {
        let mut batch = Self {
            ranges: ranges(&entries),
            events: vec![],
            trace: None,
        };
        for entry in entries {
            let Some(body) = entry.body else { continue };
            let logged = LoggedEvent::decode(entry.partition, entry.seq, &body)?;
            if event_types.contains(&logged.event.event_type()) {
                batch.trace = batch.trace.or(entry.trace);
                batch.events.push(logged);
            }
        }
        Ok(batch)
    }
}

/// What consecutive entries cover, by partition.
pub fn ranges(entries: &[Entry]) -> Vec<Range> {
    let mut ranges: BTreeMap<Partition, Range> = BTreeMap::new();
    for Entry { partition, seq, .. } in entries {
        let range = Range {
            partition: *partition,
            after: seq - 1,
            upto: *seq,
        };
        ranges.entry(*partition).or_insert(range).upto = *seq;
    }
    ranges.into_values().collect()
}

/// The number of events in the ranges, whether the projection takes them or not.
pub fn total(ranges: &[Range]) -> i64 {
    ranges.iter().map(Range::len).sum()
}
