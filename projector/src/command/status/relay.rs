//! The lag of the stream behind the log.

use feedmill_events::Partition;
use serde::Serialize;

use super::{age::since, snapshot::Snapshot};
use crate::{log::distance, stream_lag::StreamState};

/// A stream with a shorter lag is up to date. In seconds.
const MAX_EXPECTED_STREAM_LAG: f64 = 3.0;
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Relay {
    Ok {
        lag_events: i64,
    },
    Behind {
        lag_events: i64,
        /// Time since the oldest event that is not in the stream was first seen in the log; at most an hour.
        lag_seconds: f64,
    },
    /// The last message of these partitions is not the event that the log has in its place.
    Forked {
        partitions: Vec<i16>,
    },
    Unknown {
        reason: String,
    },
}

impl Relay {
    /// Takes two snapshots, and what the stream had between them or why that is unknown.
    pub fn new(before: &Snapshot, after: &Snapshot, stream: Result<StreamState, String>) -> Self {
        match stream {
            Err(reason) => Self::Unknown { reason },
            Ok(StreamState { forked, .. }) if !forked.is_empty() => Self::Forked {
                partitions: forked.into_iter().map(i16::from).collect(),
            },
            Ok(StreamState {
                offsets: stream, ..
            }) => {
                // The stream was read after the first snapshot.
                let lag_events = distance(&stream, &before.heads);
                let lag_seconds = Partition::all()
                    .filter(|partition| before.heads[*partition] > stream[*partition])
                    .map(|partition| since(after, partition, stream[partition]))
                    .fold(0.0, f64::max);
                Self::of_lag(lag_events, lag_seconds)
            }
        }
    }

    pub fn of_lag(lag_events: i64, lag_seconds: f64) -> Self {
        if lag_seconds > MAX_EXPECTED_STREAM_LAG {
            Self::Behind {
                lag_events,
                lag_seconds,
            }
        } else {
            Self::Ok { lag_events }
        }
    }
}
