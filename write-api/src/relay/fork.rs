//! Truncating a stream that has diverged from the log.
//!
//! After a restore of PostgreSQL from a backup, the stream has events that the log no longer has, and the log continues with
//! other events in their places. Anyone with permission to publish can also add a message. Sequence numbers show neither case
//! once the log has grown past them, so the relay compares the content of each partition's last message with the log. If they
//! differ, it deletes messages from the end of the partition until the last one is in the log, and publishes the rest of the log
//! again. If more than [`MAX_DELETED`] differ, it deletes all messages of the partition at once; the log has all events.
//!
//! A message that a relay of this installation published, and whose event the log does not have, is the last trace of a command that
//! was accepted. It is deleted only if an operator has begun a new incarnation of the log since (`write-api finish-restore`), and so had
//! the opportunity to list it (`projector events lost`). Until then nothing is published.

use async_nats::{
    HeaderValue,
    jetstream::{
        message::StreamMessage,
        stream::{DeleteMessageError, PurgeError, Stream},
    },
};
use chrono::{DateTime, TimeDelta, Utc};
use feedmill_events::{
    EventKey, Partition,
    mac::LoggedMessage,
    subject::{self, MessageId},
};
use futures::TryStreamExt;
use tracing::warn;

use super::{
    lease::Lease,
    stream::{LastMessages, StreamError, last_message, last_messages},
};
use crate::log::Entry;

/// The maximum number of messages that are deleted from a partition one by one, which takes some milliseconds each. An attempt at
/// opening the stream has time for at least one partition; if more have diverged, further attempts follow.
const MAX_DELETED: usize = 50;

/// More than the clocks of NATS and of the machine of `finish-restore` differ.
const CLOCK_MARGIN: TimeDelta = TimeDelta::minutes(10);

const REMOVED: &str = "relay_removed_messages_total";

#[derive(Debug, thiserror::Error)]
pub enum TruncateError {
    #[error("a message that is not in the log cannot be deleted: {0}")]
    Delete(#[from] DeleteMessageError),
    #[error("the messages of a partition cannot be deleted: {0}")]
    Purge(#[from] PurgeError),
}

/// Truncates the partitions that differ from the log. Returns the last message of each partition, which is the log's.
pub async fn truncate(
    stream: &Stream,
    lease: &mut Lease,
    key: &EventKey,
) -> Result<LastMessages, StreamError> {
    let mut last = last_messages(stream).await?;
    let incarnation = lease.incarnation().await?;
    for partition in differing(&last, lease, key).await? {
        let index = usize::from(partition.number());
        let fork = Fork {
            partition,
            key,
            incarnation,
        };
        let removed = fork.truncate(stream, lease, &mut last[index]).await?;
        warn!(
            partition = partition.number(),
            removed,
            "relay: the stream had events that the log does not have; removed them. Was PostgreSQL restored from a backup, or \
             does somebody else publish to the stream?"
        );
    }
    Ok(last)
}

/// A partition of the stream that differs from the log.
struct Fork<'a> {
    partition: Partition,
    key: &'a EventKey,
    /// When the present incarnation of the log began.
    incarnation: Option<DateTime<Utc>>,
}

impl Fork<'_> {
    /// Removes messages from the end of the partition until `last` is an event of the log, or there is none. Returns their number.
    async fn truncate(
        &self,
        stream: &Stream,
        lease: &mut Lease,
        last: &mut Option<StreamMessage>,
    ) -> Result<u64, StreamError> {
        let partition = self.partition;
        for removed in 0..MAX_DELETED {
            let logged = logged(lease, last.iter().filter_map(|it| id(it, partition))).await?;
            match last {
                Some(message) if !is_equal(message, partition, &logged, self.key) => {
                    self.ensure_listed(message)?;
                    let deleted = stream.delete_message(message.sequence).await;
                    deleted.map_err(TruncateError::from)?;
                    metrics::counter!(REMOVED).increment(1);
                    *last = last_message(stream, partition).await?;
                }
                _ => return Ok(removed as u64),
            }
        }
        let purged = stream.purge().filter(subject::events(partition)).await;
        let purged = purged.map_err(TruncateError::from)?.purged;
        metrics::counter!(REMOVED).increment(purged);
        *last = None;
        Ok(MAX_DELETED as u64 + purged)
    }

    /// An error if a relay of this installation published the message, and no incarnation of the log began since.
    fn ensure_listed(&self, message: &StreamMessage) -> Result<(), StreamError> {
        let Some(id) = id(message, self.partition).filter(|id| self.is_authentic(message, *id))
        else {
            return Ok(());
        };
        let published = message.time.unix_timestamp();
        let listed = self
            .incarnation
            .map(|began| (began + CLOCK_MARGIN).timestamp());
        if listed.is_some_and(|listed| published < listed) {
            return Ok(());
        }
        Err(StreamError::Lost {
            partition: self.partition.number(),
            seq: id.seq,
        })
    }

    fn is_authentic(&self, message: &StreamMessage, id: MessageId) -> bool {
        let header = |name| message.headers.get(name).map(HeaderValue::as_str);
        let (Some(signature), Some(event_type)) = (id.signature, header(subject::EVENT_TYPE))
        else {
            return false;
        };
        let signed = LoggedMessage {
            partition: self.partition,
            seq: id.seq,
            event_type,
            trace: header(subject::TRACEPARENT),
            body: &message.payload,
        };
        self.key.verify(&signed, signature.code)
    }
}

/// The partitions whose last message is not an event of the log.
async fn differing(
    last: &LastMessages,
    lease: &mut Lease,
    key: &EventKey,
) -> sqlx::Result<Vec<Partition>> {
    let messages = || {
        Partition::all()
            .zip(last)
            .filter_map(|(p, it)| Some((p, it.as_ref()?)))
    };
    let logged = logged(lease, messages().filter_map(|(p, it)| id(it, p))).await?;
    let differs = |(partition, message): &(Partition, &StreamMessage)| {
        !is_equal(message, *partition, &logged, key)
    };
    Ok(messages()
        .filter(differs)
        .map(|(partition, _)| partition)
        .collect())
}

/// Reads events of the log. Those that it does not have are left out.
async fn logged(
    lease: &mut Lease,
    ids: impl Iterator<Item = MessageId<'_>>,
) -> sqlx::Result<Vec<Entry>> {
    lease
        .read_each(ids.map(|id| (id.partition, id.seq)))
        .try_collect()
        .await
}

/// The event in a message, where the message says that it is. None for a message that is not of a relay.
pub fn id(message: &StreamMessage, partition: Partition) -> Option<MessageId<'_>> {
    let id = MessageId::parse(message.headers.get(subject::MESSAGE_ID)?.as_str())?;
    (id.partition == partition).then_some(id)
}

/// Whether the log has the event of a message at the same place.
fn is_equal(
    message: &StreamMessage,
    partition: Partition,
    logged: &[Entry],
    key: &EventKey,
) -> bool {
    let Some(id) = id(message, partition) else {
        return false;
    };
    let mut logged = logged.iter().filter(|it| it.partition == partition);
    let Some(entry) = logged.find(|it| it.seq == id.seq) else {
        return false;
    };
    let header = |name| message.headers.get(name).map(HeaderValue::as_str);
    id.signature
        .is_none_or(|signature| entry.code(key) == signature.code)
        && header(subject::EVENT_TYPE) == Some(&entry.name)
        && header(subject::TRACEPARENT) == entry.trace.as_deref()
        && message.payload == entry.body
}
