//! The JetStream stream and its end. The stream itself is the cursor: nothing else stores what was published.

use std::time::Duration;

use async_nats::jetstream::{
    Context,
    context::CreateStreamError,
    message::StreamMessage,
    stream::{Config, LastRawMessageError, LastRawMessageErrorKind, State, StorageType, Stream},
};
use feedmill_events::{PARTITIONS, Partition, subject};
use futures::{StreamExt, TryStreamExt};

use super::lease::{Lease, Offsets};

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
    /// PostgreSQL was restored to an older state. Publishing would give readers two different events with one number.
    #[error(
        "the stream has event {partition}:{stream} and the log ends at {head}: the database is older than the \
         stream. Nothing is published until the stream {name} is deleted; it is then filled from the log again",
        name = subject::STREAM
    )]
    Ahead {
        partition: i16,
        stream: i64,
        head: i64,
    },
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

/// Opens the stream and reads its end. Creates the stream if there is none; an existing one keeps its operator's settings.
/// `before` is the end that this leader last knew.
pub async fn open(
    jetstream: &Context,
    lease: &mut Lease,
    before: Option<&StreamEnd>,
) -> Result<(Stream, StreamEnd), StreamError> {
    let stream = jetstream
        .get_or_create_stream(Config {
            name: subject::STREAM.to_owned(),
            subjects: vec![subject::ALL_EVENTS.to_owned()],
            storage: StorageType::File,
            duplicate_window: DUPLICATE_WINDOW,
            num_replicas: 1,
            ..Config::default()
        })
        .await?;
    // First the last sequence number, then the last messages. If another leader publishes in between, our first message is
    // refused, and this is called again.
    let state = stream.cached_info().state.clone();
    let created = stream.cached_info().created.unix_timestamp_nanos();
    let last = last_events(&stream, &state).await?;
    let heads = lease.heads().await?;
    let before = before.filter(|b| b.created == created && b.last_sequence <= state.last_sequence);

    let mut published = [0; PARTITIONS as usize];
    let mut sequences = [0; PARTITIONS as usize];
    for partition in Partition::all() {
        let index = usize::from(partition.number());
        let (last, head) = (&last[index], heads[index]);
        sequences[index] = last.as_ref().map_or(0, |message| message.sequence);
        let stream = last
            .as_ref()
            .and_then(|message| event_of(message, partition));
        published[index] = match stream {
            Some(stream) if stream > head => {
                return Err(StreamError::Ahead {
                    partition: partition.into(),
                    stream,
                    head,
                });
            }
            // If it is less than we published, the last message was deleted. JetStream would drop it as a duplicate if it
            // were published again within the duplicate window; readers have it from the log.
            Some(stream) => before.map_or(stream, |before| stream.max(before.published[index])),
            // No message was ever deleted, so the stream never had an event of this partition.
            None if state.messages == state.last_sequence => 0,
            // It may have had some that expired. If we published them, we know.
            None => match before {
                Some(before) => before.published[index].min(head),
                // Otherwise the last event of the log is published again. A reader that has it skips it; a reader that
                // misses earlier events notices the gap and reads them from the log.
                None => (head - 1).max(0),
            },
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

/// The last message of each partition that the stream holds.
async fn last_events(
    stream: &Stream,
    state: &State,
) -> Result<[Option<StreamMessage>; PARTITIONS as usize], LastRawMessageError> {
    let mut last = [const { None }; PARTITIONS as usize];
    if state.messages == 0 {
        return Ok(last);
    }
    let found: Vec<_> = futures::stream::iter(Partition::all())
        .map(|partition| async move {
            match stream
                .get_last_raw_message_by_subject(&subject::events(partition))
                .await
            {
                Ok(message) => Ok((partition, Some(message))),
                Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => {
                    Ok((partition, None))
                }
                Err(error) => Err(error),
            }
        })
        .buffer_unordered(16)
        .try_collect()
        .await?;
    for (partition, message) in found {
        last[usize::from(partition.number())] = message;
    }
    Ok(last)
}

/// The sequence number of the event in a message. None if the message is not of the relay.
fn event_of(message: &StreamMessage, partition: Partition) -> Option<i64> {
    let id = message.headers.get(subject::MESSAGE_ID)?;
    subject::parse_message_id(id.as_str())
        .filter(|(named, _)| *named == partition)
        .map(|(_, seq)| seq)
}
