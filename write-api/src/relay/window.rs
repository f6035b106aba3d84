//! Messages that are under way: published, and not yet acknowledged.

use std::{collections::VecDeque, time::Duration};

use async_nats::{
    Client, HeaderMap,
    header::{
        NATS_EXPECTED_LAST_MESSAGE_ID, NATS_EXPECTED_LAST_SEQUENCE,
        NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, NATS_MESSAGE_ID,
    },
    jetstream::{
        Context,
        context::{ContextBuilder, PublishError},
        publish::PublishAck,
    },
};
use feedmill_events::{PARTITIONS, subject};
use futures::{FutureExt, future::BoxFuture};
use tokio::time::timeout;

use super::{
    lease::Places,
    stream::{End, Positions},
};
use crate::store::log::Entry;

/// How many messages may be under way. More gain nothing: 109,000 a second are acknowledged with these.
const IN_FLIGHT: usize = 2_000;

/// And how many bytes of them, so that large events take no more memory than small ones.
const BYTES_IN_FLIGHT: usize = 8 << 20;

/// How long JetStream may take to answer. It answers in milliseconds, or not at all.
pub const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug, thiserror::Error)]
pub enum WindowError {
    #[error("a message was not acknowledged: {0}")]
    Publish(#[from] PublishError),
    #[error("NATS takes no messages")]
    Stuck,
}

struct UnderWay {
    partition: usize,
    seq: i64,
    bytes: usize,
    ack: BoxFuture<'static, Result<PublishAck, PublishError>>,
}

pub struct Window {
    jetstream: Context,
    /// The stream's last sequence number once everything under way is in it.
    expected: u64,
    /// Up to where each partition was acknowledged, and which of the stream's numbers that event has.
    acknowledged: Places,
    positions: Positions,
    /// The partition of the message that was published last.
    current: Option<usize>,
    under_way: VecDeque<UnderWay>,
    /// How many of them are of each partition.
    of_partition: [usize; PARTITIONS as usize],
    bytes: usize,
}

/// A context for one stretch of publishing. Not for longer: what is abandoned when a stretch fails holds its
/// permits until it times out.
pub fn context(nats: Client) -> Context {
    ContextBuilder::new()
        .timeout(PATIENCE)
        .max_ack_inflight(IN_FLIGHT + 1)
        .build(nats)
}

impl Window {
    pub fn new(jetstream: Context, end: &End) -> Self {
        Self {
            jetstream,
            expected: end.last_sequence,
            acknowledged: end.published,
            positions: end.positions,
            current: None,
            under_way: VecDeque::new(),
            of_partition: [0; PARTITIONS as usize],
            bytes: 0,
        }
    }

    /// Publishes the event that follows all of its partition that was published before; waits when too many are
    /// under way, or when the partition is another one than before and still has some under way.
    pub async fn publish(&mut self, entry: Entry) -> Result<(), WindowError> {
        while self.take_ready()? {}
        while self.under_way.len() >= IN_FLIGHT || self.bytes >= BYTES_IN_FLIGHT {
            self.next_ack().await?;
        }
        let partition = entry.partition;
        let index = usize::from(partition.number());
        let continues = self.current.replace(index) == Some(index);
        while !continues && self.of_partition[index] > 0 {
            self.next_ack().await?;
        }
        let mut headers = HeaderMap::new();
        // What must be the partition's last event in the stream: the message before this one, by its id, or one
        // that was acknowledged, by its number. The module's documentation says why.
        if continues {
            let before = subject::message_id(partition, entry.seq - 1);
            headers.insert(NATS_EXPECTED_LAST_MESSAGE_ID, before);
        } else {
            let before = self.positions[index].to_string();
            headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, before);
        }
        headers.insert(NATS_MESSAGE_ID, subject::message_id(partition, entry.seq));
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
        let ack = timeout(PATIENCE, published)
            .await
            .map_err(|_| WindowError::Stuck)??;
        self.expected += 1;
        self.bytes += bytes;
        self.of_partition[index] += 1;
        self.under_way.push_back(UnderWay {
            partition: index,
            seq: entry.seq,
            bytes,
            ack: ack.into_future(),
        });
        Ok(())
    }

    /// Waits for the oldest message's acknowledgement; for ever, when nothing is under way. May be dropped
    /// and called again.
    pub async fn next_ack(&mut self) -> Result<(), WindowError> {
        let Some(oldest) = self.under_way.front_mut() else {
            return std::future::pending().await;
        };
        let answer = (&mut oldest.ack).await;
        self.settle(answer)
    }

    /// Takes the oldest message's acknowledgement if it has come.
    fn take_ready(&mut self) -> Result<bool, WindowError> {
        let Some(oldest) = self.under_way.front_mut() else {
            return Ok(false);
        };
        match (&mut oldest.ack).now_or_never() {
            Some(answer) => self.settle(answer).map(|()| true),
            None => Ok(false),
        }
    }

    fn settle(&mut self, answer: Result<PublishAck, PublishError>) -> Result<(), WindowError> {
        let Some(settled) = self.under_way.pop_front() else {
            return Ok(());
        };
        self.bytes -= settled.bytes;
        self.of_partition[settled.partition] -= 1;
        // A duplicate is in the stream too; but it takes no number, so what follows it is refused, and the
        // stream is asked again.
        let ack = answer?;
        self.acknowledged[settled.partition] = settled.seq;
        self.positions[settled.partition] = ack.sequence;
        metrics::counter!("relay_published_total").increment(1);
        Ok(())
    }

    pub fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    /// The stream's last sequence number once everything under way is in it.
    pub fn expected(&self) -> u64 {
        self.expected
    }

    /// The greatest of the stream's numbers that is known to be taken.
    pub fn last_sequence(&self) -> u64 {
        self.positions.iter().copied().max().unwrap_or(0)
    }

    /// Up to where each partition was acknowledged.
    pub fn acknowledged(&self) -> &Places {
        &self.acknowledged
    }
}
