//! How long ago something was.

use chrono::{DateTime, Utc};
use feedmill_events::Partition;

use super::snapshot::Snapshot;

/// The seconds since the event after `seq` was first seen in the log.
pub fn since(snapshot: &Snapshot, partition: Partition, seq: i64) -> f64 {
    let index = usize::from(partition.number());
    let beyond = |heads: &[i64]| heads.get(index).is_some_and(|head| *head > seq);
    // Heads only increase.
    let first = snapshot
        .heads_seen
        .partition_point(|(_, heads)| !beyond(heads));
    let at = snapshot
        .heads_seen
        .get(first)
        .map_or(snapshot.at, |(at, _)| *at);
    seconds(at, snapshot.at)
}

/// Seconds between two times, to the millisecond.
pub fn seconds(from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
    (to - from).num_milliseconds().max(0) as f64 / 1000.0
}
