//! Events as they come, from JetStream.
//!
//! What comes is only ever a quicker way to what the log has: the worker checks that it continues the
//! checkpoint, and reads from the log what was lost. So the consumer is ephemeral, begins with what is
//! new, acknowledges nothing, and is thrown away and made anew whenever anything is odd. Not async-nats'
//! ordered consumer, which begins at sequence 1 when it is made anew before its first message, and sleeps
//! for a minute after a restart of the server.

use std::{collections::BTreeSet, time::Duration};

use async_nats::{
    Client, Message,
    jetstream::{
        self,
        consumer::{AckPolicy, DeliverPolicy, pull},
    },
};
use feedmill_events::{Envelope, PARTITIONS, Partition, subject};
use feedmill_service::Shutdown;
use futures::StreamExt as _;
use tokio::sync::{mpsc, watch};

use crate::{batch::Entry, instance::Orders, projection::Definition};

/// As many events wait in memory until the worker has time; the rest waits in the stream.
const WAITING: usize = 1_024;
const BATCH_MESSAGES: usize = 1_000;
const BATCH_BYTES: usize = 2 << 20;
/// Two of these missed, and the consumer is made anew.
const HEARTBEAT: Duration = Duration::from_secs(2);
const EXPIRES: Duration = Duration::from_secs(20);
/// The server forgets a consumer that nobody asks.
const FORGET_AFTER: Duration = Duration::from_mins(1);
const RETRY: Duration = Duration::from_millis(500);

/// What the worker sees of it.
#[derive(Debug)]
pub struct Inbox {
    pub entries: mpsc::Receiver<Entry>,
    /// True while there is a consumer: then whatever is new comes by itself.
    pub live: watch::Receiver<bool>,
}

/// Follows the stream until shutdown, of the partitions that are to be projected.
pub fn start(
    client: Client,
    projection: &'static Definition,
    mut orders: watch::Receiver<Orders>,
    shutdown: Shutdown,
) -> Inbox {
    let (sender, entries) = mpsc::channel(WAITING);
    let (live, is_live) = watch::channel(false);
    tokio::spawn(async move {
        let follow = async {
            loop {
                let owned = orders.borrow_and_update().owned.clone();
                tokio::select! {
                    result = follow(&client, projection, &owned, &sender, &live) => {
                        if let Err(error) = result {
                            tracing::debug!(projection = projection.name(), %error, "the stream cannot be followed");
                        }
                        live.send_replace(false);
                        tokio::time::sleep(RETRY).await;
                    }
                    () = other_than(&owned, &mut orders) => {
                        live.send_replace(false);
                    }
                }
            }
        };
        tokio::select! {
            () = follow => {}
            () = shutdown.soft.cancelled() => {}
        }
    });
    Inbox {
        entries,
        live: is_live,
    }
}

/// Until other partitions are to be followed than these.
async fn other_than(owned: &BTreeSet<Partition>, orders: &mut watch::Receiver<Orders>) {
    if orders
        .wait_for(|orders| orders.owned != *owned)
        .await
        .is_err()
    {
        std::future::pending::<()>().await;
    }
}

/// An instance that has all partitions asks for all at once, which costs the server least: 305,000 events/s
/// against 105,000/s by 64 subjects, measured. One that has a part names their subjects: it would throw away
/// most of what came otherwise, and the server's pace by subjects is still far above that of applying.
fn filters(owned: &BTreeSet<Partition>) -> Vec<String> {
    if owned.len() == usize::from(PARTITIONS) {
        return vec![subject::ALL_EVENTS.to_owned()];
    }
    owned.iter().copied().map(subject::events).collect()
}

async fn follow(
    client: &Client,
    projection: &Definition,
    owned: &BTreeSet<Partition>,
    sender: &mpsc::Sender<Entry>,
    live: &watch::Sender<bool>,
) -> Result<(), async_nats::Error> {
    if owned.is_empty() {
        return std::future::pending().await;
    }
    let config = pull::Config {
        description: Some(format!("projector {}", projection.name())),
        deliver_policy: DeliverPolicy::New,
        ack_policy: AckPolicy::None,
        filter_subjects: filters(owned),
        inactive_threshold: FORGET_AFTER,
        memory_storage: true,
        num_replicas: 1,
        ..pull::Config::default()
    };
    let stream = jetstream::new(client.clone())
        .get_stream_no_info(subject::STREAM)
        .await?;
    let mut messages = stream
        .create_consumer(config)
        .await?
        .stream()
        .max_messages_per_batch(BATCH_MESSAGES)
        .max_bytes_per_batch(BATCH_BYTES)
        .heartbeat(HEARTBEAT)
        .expires(EXPIRES)
        .messages()
        .await?;
    tracing::debug!(projection = projection.name(), "following the stream");
    live.send_replace(true);
    while let Some(message) = messages.next().await {
        match entry(message?.into(), projection) {
            Some(entry) => sender.send(entry).await?,
            None => {
                tracing::warn!("a message in the stream is none of the relay's; it is left alone");
            }
        }
    }
    Ok(())
}

fn entry(message: Message, projection: &Definition) -> Option<Entry> {
    let header = |name| Some(message.headers.as_ref()?.get(name)?.as_str());
    let (partition, seq) = subject::parse_message_id(header(subject::MESSAGE_ID)?)?;
    if message.subject.as_str() != subject::events(partition) {
        return None;
    }
    // What does not decode is the worker's to find out.
    let wanted = header(subject::EVENT_TYPE)
        .and_then(|name| name.parse().ok())
        .is_none_or(|event_type| projection.wants(event_type))
        && !Envelope::decode(&message.payload).is_ok_and(|it| !(projection.concerns)(&it.event));
    let trace = header(subject::TRACEPARENT).map(ToOwned::to_owned);
    Some(Entry {
        partition,
        seq,
        trace,
        body: wanted.then_some(message.payload),
    })
}
