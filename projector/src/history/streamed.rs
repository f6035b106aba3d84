//! Reads the log from JetStream, with an ephemeral consumer without acknowledgements.

use std::time::Duration;

use async_nats::{
    Client, Message,
    jetstream::{
        self,
        consumer::{AckPolicy, DeliverPolicy, pull},
    },
};
use chrono::{DateTime, SecondsFormat, Utc};
use feedmill_events::{EventKey, subject};
use futures::StreamExt as _;
use tokio::{sync::mpsc, task::JoinHandle};

use super::record::{Part, Record};
use crate::stream_message::StreamMessage;

const QUEUE_CAPACITY: usize = 1_024;
const BATCH_MESSAGES: usize = 1_000;
const BATCH_BYTES: usize = 2 << 20;
const HEARTBEAT: Duration = Duration::from_secs(2);
const EXPIRES: Duration = Duration::from_secs(20);
const INACTIVE_THRESHOLD: Duration = Duration::from_mins(1);

/// The stream, and what its messages are verified with.
#[derive(Debug, Clone)]
pub struct EventStream {
    pub client: Client,
    pub key: EventKey,
}

/// Where to start.
#[derive(Debug, Clone, Copy)]
pub enum Start {
    Beginning,
    /// With messages published at this time or later.
    At(DateTime<Utc>),
    New,
}

impl From<Option<DateTime<Utc>>> for Start {
    fn from(at: Option<DateTime<Utc>>) -> Self {
        at.map_or(Self::Beginning, Self::At)
    }
}

/// The messages of the stream, and the task that reads them, whose result says whether it came to the end.
pub struct Reader {
    pub records: mpsc::Receiver<Record>,
    pub task: JoinHandle<Result<(), async_nats::Error>>,
}

/// The messages of the stream up to its end.
pub fn read_to_end(source: EventStream, part: &Part, start: Start) -> Reader {
    let (sender, records) = mpsc::channel(QUEUE_CAPACITY);
    let part = part.clone();
    let task = tokio::spawn(async move { follow(&source, &part, start, &sender).await });
    Reader { records, task }
}

/// The messages of the stream, until it cannot be read or the receiver is dropped. Unless it starts with new messages, it
/// also ends at the end of the stream.
pub fn read(source: EventStream, part: &Part, start: Start) -> mpsc::Receiver<Record> {
    let Reader { records, task } = read_to_end(source, part, start);
    tokio::spawn(async move {
        if let Ok(Err(error)) = task.await {
            tracing::debug!(%error, "history: cannot read the stream, reading from PostgreSQL");
        }
    });
    records
}

async fn follow(
    source: &EventStream,
    part: &Part,
    start: Start,
    sender: &mpsc::Sender<Record>,
) -> Result<(), async_nats::Error> {
    let filter = match part.partitions.as_slice() {
        [one] => subject::events(*one),
        _ => subject::ALL_EVENTS.to_owned(),
    };
    let config = pull::Config {
        description: Some("projector events".to_owned()),
        deliver_policy: match start {
            Start::Beginning => DeliverPolicy::All,
            Start::At(at) => DeliverPolicy::ByStartTime {
                start_time: async_nats::datetime::parse_rfc3339(
                    &at.to_rfc3339_opts(SecondsFormat::Millis, true),
                )?,
            },
            Start::New => DeliverPolicy::New,
        },
        ack_policy: AckPolicy::None,
        filter_subject: filter,
        inactive_threshold: INACTIVE_THRESHOLD,
        memory_storage: true,
        num_replicas: 1,
        ..pull::Config::default()
    };
    let stream = jetstream::new(source.client.clone())
        .get_stream_no_info(subject::STREAM)
        .await?;
    let consumer = stream.create_consumer(config).await?;
    let ends_with_stream = !matches!(start, Start::New);
    if ends_with_stream && consumer.cached_info().num_pending == 0 {
        return Ok(());
    }
    let mut messages = consumer
        .stream()
        .max_messages_per_batch(BATCH_MESSAGES)
        .max_bytes_per_batch(BATCH_BYTES)
        .heartbeat(HEARTBEAT)
        .expires(EXPIRES)
        .messages()
        .await?;
    while let Some(message) = messages.next().await {
        let message = message?;
        let is_last = message.info()?.pending == 0;
        if let Some(record) = record(message.into(), &source.key)
            && part.partitions.contains(&record.partition)
        {
            sender.send(record).await?;
        }
        if ends_with_stream && is_last {
            break;
        }
    }
    Ok(())
}

/// None for a message that the relay did not publish.
fn record(message: Message, key: &EventKey) -> Option<Record> {
    let StreamMessage {
        partition,
        seq,
        kind,
        trace,
    } = StreamMessage::verify(&message, key)?;
    Some(Record {
        partition,
        seq,
        kind,
        trace,
        body: message.payload,
    })
}
