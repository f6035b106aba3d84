//! A batch: consecutive events of some partitions, decoded as far as the projection wants them.

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use feedmill_events::{Envelope, Event, Partition};

use crate::{error::ApplyError, projection::Definition};

/// An event as it comes from the stream or the log.
#[derive(Debug, Clone)]
pub struct Entry {
    pub partition: Partition,
    pub seq: i64,
    /// W3C traceparent of the request that caused it.
    pub trace: Option<String>,
    /// The envelope; none if it is known that the projection does not want it, or that it does not concern it.
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

/// An event that the projection wants.
#[derive(Debug)]
pub struct Logged {
    pub at: DateTime<Utc>,
    pub event: Event,
}

#[derive(Debug)]
pub struct Batch {
    /// What the batch covers, one range a partition, in ascending order.
    pub ranges: Vec<Range>,
    /// Those of them that are wanted; each partition's in the log's order.
    pub events: Vec<Logged>,
    /// The first trace among them.
    pub trace: Option<String>,
}

impl Batch {
    /// `entries` has each partition's events consecutive and in order. Errors: an event that does not
    /// decode.
    pub fn decode(projection: &Definition, entries: Vec<Entry>) -> Result<Self, ApplyError> {
        let mut batch = Self {
            ranges: ranges(&entries),
            events: vec![],
            trace: None,
        };
        for Entry {
            partition,
            seq,
            trace,
            body,
        } in entries
        {
            let Some(body) = body else { continue };
            let Envelope { at, event } =
                Envelope::decode(&body).map_err(|source| ApplyError::Decode {
                    partition,
                    seq,
                    source,
                })?;
            if projection.wants(event.event_type()) {
                let at = DateTime::from_timestamp_millis(at).ok_or(ApplyError::Time(at))?;
                batch.trace = batch.trace.or(trace);
                batch.events.push(Logged { at, event });
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

/// How many events of the log these are, wanted or not.
pub fn total(ranges: &[Range]) -> i64 {
    ranges.iter().map(Range::len).sum()
}
