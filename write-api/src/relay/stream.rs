//! The JetStream stream and its end. The stream itself is the cursor: nothing else stores what was published.

use std::{collections::HashMap, time::Duration};

use async_nats::jetstream::{
    Context,
    context::{CreateStreamError, UpdateStreamError},
    message::StreamMessage,
    stream::{Config, LastRawMessageError, LastRawMessageErrorKind, StorageType, Stream},
};
use feedmill_events::{EventKey, PARTITIONS, Partition, subject};
use futures::{StreamExt, TryStreamExt};

use super::{
    fork::{self, TruncateError},
    lease::{Lease, Offsets},
};

/// How long JetStream remembers message ids, to drop duplicates.
const DUPLICATE_WINDOW: Duration = Duration::from_mins(2);

#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    #[error("the stream cannot be opened or created: {0}")]
    Open(#[from] CreateStreamError),
    #[error("the end of the stream cannot be read: {0}")]
    Last(#[from] LastRawMessageError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Truncate(#[from] TruncateError),
    #[error(
        "the stream has the event {partition}:{seq}, which the log does not have; nothing is published. If PostgreSQL was restored to an \
         earlier time, or a standby took over that had not received everything, stop all services, list what is lost (projector \
         events lost), and run write-api finish-restore"
    )]
    Lost { partition: u8, seq: i64 },
    #[error("the metadata of the stream cannot be written: {0}")]
    Mark(UpdateStreamError),
    #[error(
        "the stream {name} is of another installation; nothing is published. Correct NATS_URL, or delete the stream if this \
         installation has a new event key",
        name = subject::STREAM
    )]
    Foreign,
}

/// The stream's sequence number of the last message of each partition; 0 if there is none.
pub type StreamSequences = [u64; PARTITIONS as usize];

/// The end of a stream.
#[derive(Debug, Clone)]
pub struct StreamEnd {
    /// The last sequence number of the stream, as far as this leader knows.
    pub last_sequence: u64,
    /// The last published event of each partition.
    pub published: Offsets,
    pub sequences: StreamSequences,
    /// When the stream was created, in Unix nanoseconds: it identifies the stream.
    created: i128,
}

/// The last message of each partition that the stream holds, by the number of the partition.
pub type LastMessages = Vec<Option<StreamMessage>>;

/// Opens the stream, deletes from it what the log does not have, and reads its end. Creates the stream if there is none; an
/// existing one keeps its operator's settings. `before` is the end that this leader last knew.
pub async fn open(
    jetstream: &Context,
    lease: &mut Lease,
    key: &EventKey,
    before: Option<&StreamEnd>,
) -> Result<(Stream, StreamEnd), StreamError> {
    let owner = key.fingerprint();
    let stream = jetstream
        .get_or_create_stream(Config {
            name: subject::STREAM.to_owned(),
            subjects: vec![subject::ALL_EVENTS.to_owned()],
            storage: StorageType::File,
            duplicate_window: DUPLICATE_WINDOW,
            num_replicas: 1,
            metadata: HashMap::from([(subject::OWNER.to_owned(), owner.clone())]),
            ..Config::default()
        })
        .await?;
    let config = &stream.cached_info().config;
    match config.metadata.get(subject::OWNER) {
        Some(found) if *found == owner => {}
        Some(_) => return Err(StreamError::Foreign),
        // Made by an earlier version, or by an operator.
        None => {
            let mut config = config.clone();
            config.metadata.insert(subject::OWNER.to_owned(), owner);
            let updated = jetstream.update_stream(config).await;
            updated.map_err(StreamError::Mark)?;
        }
    }
    let created = stream.cached_info().created.unix_timestamp_nanos();
    // First the last sequence number, then the last messages. If another leader publishes in between, our first message is
    // refused, and this is called again.
    let state = stream.cached_info().state.clone();
    let has_expired =
        is_limited(&stream.cached_info().config) && state.messages < state.last_sequence;
    let last = if state.messages > 0 {
        fork::truncate(&stream, lease, key).await?
    } else {
        no_messages()
    };
    let heads = lease.heads().await?;
    let before = before.filter(|b| b.created == created && b.last_sequence <= state.last_sequence);

    let mut published = [0; PARTITIONS as usize];
    let mut sequences = [0; PARTITIONS as usize];
    for partition in Partition::all() {
        let index = usize::from(partition.number());
        let last = last[index].as_ref();
        sequences[index] = last.map_or(0, |message| message.sequence);
        let stream = last.and_then(|message| fork::id(message, partition));
        published[index] = match stream.map(|id| id.seq) {
            Some(stream) => stream,
            // An operator limited the stream, its messages expire, and it may have had some of this partition. What we
            // published is not published again. Otherwise the last event of the log is: a reader that has it skips it; a
            // reader that misses earlier events notices the gap and reads them from the log.
            None if has_expired => before.map_or((heads[index] - 1).max(0), |before| {
                before.published[index].min(heads[index])
            }),
            // It never had any, or it has lost them: all are published.
            None => 0,
        };
    }
    Ok((
        stream,
        StreamEnd {
            last_sequence: state.last_sequence,
            published,
            sequences,
            created,
        },
    ))
}

fn no_messages() -> LastMessages {
    Partition::all().map(|_| None).collect()
}

/// Whether messages expire.
fn is_limited(config: &Config) -> bool {
    config.max_messages > 0
        || config.max_bytes > 0
        || config.max_messages_per_subject > 0
        || !config.max_age.is_zero()
}

/// The last message of each partition that the stream holds.
pub async fn last_messages(stream: &Stream) -> Result<LastMessages, LastRawMessageError> {
    let mut last = no_messages();
    let found: Vec<_> = futures::stream::iter(Partition::all())
        .map(async |partition| {
            let message = last_message(stream, partition).await?;
            Ok::<_, LastRawMessageError>((partition, message))
        })
        .buffer_unordered(16)
        .try_collect()
        .await?;
    for (partition, message) in found {
        last[usize::from(partition.number())] = message;
    }
    Ok(last)
}

/// The last message of a partition that the stream holds.
pub async fn last_message(
    stream: &Stream,
    partition: Partition,
) -> Result<Option<StreamMessage>, LastRawMessageError> {
    let subject = subject::events(partition);
    match stream.get_last_raw_message_by_subject(&subject).await {
        Ok(message) => Ok(Some(message)),
        Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
        Err(error) => Err(error),
    }
}
