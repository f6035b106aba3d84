//! The messages in flight: published and not yet acknowledged.

use std::{collections::VecDeque, time::Duration};

use async_nats::{
    Client, HeaderMap,
    header::{
        NATS_EXPECTED_LAST_MESSAGE_ID, NATS_EXPECTED_LAST_SEQUENCE,
        NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, NATS_MESSAGE_ID,
    },
    jetstream::{
        self, Context, ErrorCode,
        context::{ContextBuilder, PublishError},
        publish::PublishAck,
    },
};
use feedmill_events::{EventKey, PARTITIONS, subject};
use futures::{FutureExt, future::BoxFuture};
use tokio::time::timeout;

use super::{
    lease::Offsets,
    stream::{StreamEnd, StreamSequences},
};
use crate::log::Entry;

/// The maximum number of messages in flight. With it 109,000 a second are acknowledged; more gain nothing.
const MAX_IN_FLIGHT: usize = 2_000;

/// The maximum of their bytes, so that large events take no more memory than small ones.
const MAX_BYTES_IN_FLIGHT: usize = 8 << 20;

/// How long JetStream may take to acknowledge a message. Usually it takes milliseconds.
const ACK_TIMEOUT: Duration = Duration::from_secs(2);

pub const REFUSED: &str = "relay_refused_total";

#[derive(Debug, thiserror::Error)]
pub enum WindowError {
    #[error("a message was not acknowledged: {0}")]
    Publish(#[from] PublishError),
    #[error("NATS accepts no messages")]
    Stuck,
}

struct InFlight {
    partition: usize,
    seq: i64,
    bytes: usize,
    ack: BoxFuture<'static, Result<PublishAck, PublishError>>,
}

/// Publishes entries, and settles their acknowledgements in order.
pub struct Window {
    jetstream: Context,
    key: EventKey,
    /// The last sequence number when the stream was opened.
    opened: u64,
    /// The stream's last sequence number once everything in flight is stored.
    expected: u64,
    /// The last acknowledged event of each partition, and its sequence number in the stream.
    acknowledged: Offsets,
    sequences: StreamSequences,
    /// The partition and the id of the message that was published last.
    last: Option<(usize, String)>,
    in_flight: VecDeque<InFlight>,
    /// The number of messages in flight of each partition.
    of_partition: [usize; PARTITIONS as usize],
    /// The bytes in flight.
    bytes: usize,
}

/// A context for one attempt at publishing. The messages that a failed attempt abandons hold their permits until they time
/// out, so the next attempt needs a context of its own.
pub fn context(nats: Client) -> Context {
    ContextBuilder::new()
        .timeout(ACK_TIMEOUT)
        .max_ack_inflight(MAX_IN_FLIGHT + 1)
        .build(nats)
}

/// What the server answers if its storage is full, or a limit of the account or the stream is reached.
const FULL: [ErrorCode; 5] = [
    ErrorCode::ACCOUNT_RESOURCES_EXCEEDED,
    ErrorCode::INSUFFICIENT_RESOURCES,
    ErrorCode::MEMORY_RESOURCES_EXCEEDED,
    ErrorCode::STORAGE_RESOURCES_EXCEEDED,
    ErrorCode::STREAM_STORE_FAILED,
];

/// Whether the server has no space for the message.
fn is_refused(answer: &Result<PublishAck, PublishError>) -> bool {
    let source = answer.as_ref().err().and_then(std::error::Error::source);
    let error = source.and_then(|source| source.downcast_ref::<jetstream::Error>());
    error.is_some_and(|error| FULL.contains(&error.error_code()))
}

impl Window {
    pub fn new(jetstream: Context, end: &StreamEnd, key: EventKey) -> Self {
        Self {
            jetstream,
            key,
            opened: end.last_sequence,
            expected: end.last_sequence,
            acknowledged: end.published,
            sequences: end.sequences,
            last: None,
            in_flight: VecDeque::new(),
            of_partition: [0; PARTITIONS as usize],
            bytes: 0,
        }
    }

    /// Publishes the next event of its partition. Waits if too many messages are in flight, or if messages of the partition
    /// are in flight and the last published one is of another partition.
    pub async fn publish(&mut self, entry: Entry) -> Result<(), WindowError> {
        while self.take_ready()? {}
        while self.in_flight.len() >= MAX_IN_FLIGHT || self.bytes >= MAX_BYTES_IN_FLIGHT {
            self.next_ack().await?;
        }
        let partition = entry.partition;
        let index = usize::from(partition.number());
        let id = entry.message_id(&self.key, self.opened);
        let last = self.last.replace((index, id.clone()));
        let before = last.filter(|(last, _)| *last == index).map(|(_, id)| id);
        while before.is_none() && self.of_partition[index] > 0 {
            self.next_ack().await?;
        }
        let mut headers = HeaderMap::new();
        // The documentation of `relay` has the reasons for these preconditions.
        if let Some(before) = before {
            headers.insert(NATS_EXPECTED_LAST_MESSAGE_ID, before);
        } else {
            let before = self.sequences[index].to_string();
            headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, before);
        }
        headers.insert(NATS_MESSAGE_ID, id);
        headers.insert(NATS_EXPECTED_LAST_SEQUENCE, self.expected.to_string());
        headers.insert(subject::EVENT_TYPE, entry.name);
        if let Some(trace) = entry.trace {
            headers.insert(subject::TRACEPARENT, trace);
        }
        let bytes = entry.body.len();
        let published = self.jetstream.publish_with_headers(
            subject::events(partition),
            headers,
            entry.body.into(),
        );
        let ack = timeout(ACK_TIMEOUT, published)
            .await
            .map_err(|_| WindowError::Stuck)??;
        self.expected += 1;
        self.bytes += bytes;
        self.of_partition[index] += 1;
        self.in_flight.push_back(InFlight {
            partition: index,
            seq: entry.seq,
            bytes,
            ack: ack.into_future(),
        });
        Ok(())
    }

    /// Waits for the acknowledgement of the oldest message; for ever if nothing is in flight. Cancel safe.
    pub async fn next_ack(&mut self) -> Result<(), WindowError> {
        let Some(oldest) = self.in_flight.front_mut() else {
            return std::future::pending().await;
        };
        let answer = (&mut oldest.ack).await;
        self.settle(answer)
    }

    /// Takes the acknowledgement of the oldest message if it has arrived.
    fn take_ready(&mut self) -> Result<bool, WindowError> {
        let Some(oldest) = self.in_flight.front_mut() else {
            return Ok(false);
        };
        match (&mut oldest.ack).now_or_never() {
            Some(answer) => self.settle(answer).map(|()| true),
            None => Ok(false),
        }
    }

    fn settle(&mut self, answer: Result<PublishAck, PublishError>) -> Result<(), WindowError> {
        let Some(settled) = self.in_flight.pop_front() else {
            return Ok(());
        };
        self.bytes -= settled.bytes;
        self.of_partition[settled.partition] -= 1;
        if is_refused(&answer) {
            metrics::counter!(REFUSED).increment(1);
        }
        // A duplicate, which another leader published after it opened the stream at the same place, is acknowledged too. It
        // takes no sequence number, so the next message is refused, and the leader asks for the end of the stream again.
        let ack = answer?;
        self.acknowledged[settled.partition] = settled.seq;
        self.sequences[settled.partition] = ack.sequence;
        metrics::counter!("relay_published_total").increment(1);
        Ok(())
    }

    pub fn is_empty(&self) -> bool {
        self.in_flight.is_empty()
    }

    /// The stream's last sequence number once everything in flight is stored.
    pub fn expected(&self) -> u64 {
        self.expected
    }

    /// The greatest sequence number of the stream that was acknowledged.
    pub fn last_sequence(&self) -> u64 {
        self.sequences.iter().copied().max().unwrap_or(0)
    }

    /// The last acknowledged event of each partition.
    pub fn acknowledged(&self) -> &Offsets {
        &self.acknowledged
    }
}
