//! The log as JetStream has it: a consumer of its own, without acknowledgements, that the server forgets.

use std::time::Duration;

use async_nats::{
    Client, Message,
    jetstream::{
        self,
        consumer::{AckPolicy, DeliverPolicy, pull},
    },
};
use chrono::{DateTime, SecondsFormat, Utc};
use feedmill_events::subject;
use futures::StreamExt as _;
use tokio::sync::mpsc;

use super::{Part, Record};

const WAITING: usize = 1_024;
const BATCH_MESSAGES: usize = 1_000;
const BATCH_BYTES: usize = 2 << 20;
const HEARTBEAT: Duration = Duration::from_secs(2);
const EXPIRES: Duration = Duration::from_secs(20);
const FORGET_AFTER: Duration = Duration::from_mins(1);

/// Where to begin.
#[derive(Debug, Clone, Copy)]
pub enum Start {
    Beginning,
    /// With what was published then or later.
    At(DateTime<Utc>),
    New,
}

impl From<Option<DateTime<Utc>>> for Start {
    fn from(at: Option<DateTime<Utc>>) -> Self {
        at.map_or(Self::Beginning, Self::At)
    }
}

/// Messages as they come, until the stream cannot be read, or nobody listens. If it began at some place, it
/// also ends where the stream ends.
pub fn read(client: Client, part: &Part, start: Start) -> mpsc::Receiver<Record> {
    let (sender, receiver) = mpsc::channel(WAITING);
    let part = part.clone();
    tokio::spawn(async move {
        if let Err(error) = follow(&client, &part, start, &sender).await {
            tracing::debug!(%error, "the stream cannot be read");
        }
    });
    receiver
}

async fn follow(
    client: &Client,
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
        inactive_threshold: FORGET_AFTER,
        memory_storage: true,
        num_replicas: 1,
        ..pull::Config::default()
    };
    let stream = jetstream::new(client.clone())
        .get_stream_no_info(subject::STREAM)
        .await?;
    let consumer = stream.create_consumer(config).await?;
    let to_the_end = !matches!(start, Start::New);
    if to_the_end && consumer.cached_info().num_pending == 0 {
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
        if let Some(record) = record(message.into())
            && part.partitions.contains(&record.partition)
        {
            sender.send(record).await?;
        }
        if to_the_end && is_last {
            break;
        }
    }
    Ok(())
}

/// None for what the relay did not send.
fn record(message: Message) -> Option<Record> {
    let header = |name| Some(message.headers.as_ref()?.get(name)?.as_str());
    let (partition, seq) = subject::parse_message_id(header(subject::MESSAGE_ID)?)?;
    (message.subject.as_str() == subject::events(partition)).then_some(())?;
    Some(Record {
        partition,
        seq,
        kind: header(subject::EVENT_TYPE)?.to_owned(),
        trace: header(subject::TRACEPARENT).map(ToOwned::to_owned),
        body: message.payload,
    })
}
