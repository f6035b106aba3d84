//! The stream, and where it ends. It is its own cursor: nothing else remembers what was published.

use std::time::Duration;

use async_nats::jetstream::{
    Context,
    context::CreateStreamError,
    message::StreamMessage,
    stream::{Config, LastRawMessageError, LastRawMessageErrorKind, State, StorageType, Stream},
};
use feedmill_events::{PARTITIONS, Partition, subject};
use futures::{StreamExt, TryStreamExt};

use super::lease::{Lease, Places};

/// How long JetStream remembers message ids, to drop one that comes twice.
const DUPLICATE_WINDOW: Duration = Duration::from_mins(2);

#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    #[error("the stream cannot be opened or made: {0}")]
    Open(#[from] CreateStreamError),
    #[error("the stream does not say where it ends: {0}")]
    Last(#[from] LastRawMessageError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// PostgreSQL was set back to an older state than the stream's. To go on would give readers two
    /// different events of one number.
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

/// For each partition, the stream's own number of its last message; 0 if the stream has none.
pub type Positions = [u64; PARTITIONS as usize];

/// Where the stream ended, and which stream that was.
#[derive(Debug, Clone)]
pub struct End {
    /// The stream's own last sequence number, as far as this leader knows.
    pub last_sequence: u64,
    /// Up to where the log has been published, for each partition.
    pub published: Places,
    pub positions: Positions,
    /// When the stream was made, in nanoseconds: a stream made anew is another one.
    made: i128,
}

/// Asks the stream where it ends, and makes it if there is none. One that is there is left as its operator
/// has it.
///
/// `before`: where the stream ended when this leader last knew.
pub async fn end(
    jetstream: &Context,
    lease: &mut Lease,
    before: Option<&End>,
) -> Result<(Stream, End), StreamError> {
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
    // First the stream's last number, then the last message of each partition: should another leader publish
    // in between, our first message is refused, and we are here again.
    let state = stream.cached_info().state.clone();
    let made = stream.cached_info().created.unix_timestamp_nanos();
    let last = last_events(&stream, &state).await?;
    let heads = lease.heads().await?;
    let before = before.filter(|b| b.made == made && b.last_sequence <= state.last_sequence);

    let mut published = [0; PARTITIONS as usize];
    let mut positions = [0; PARTITIONS as usize];
    for partition in Partition::all() {
        let index = usize::from(partition.number());
        let (last, head) = (&last[index], heads[index]);
        positions[index] = last.as_ref().map_or(0, |message| message.sequence);
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
            // Less than we saw go in: the last was deleted since. Were it published again, the stream would take
            // it for a duplicate and go on without it, for as long as it remembers; readers have it from the log.
            Some(stream) => before.map_or(stream, |before| stream.max(before.published[index])),
            // The stream still has all it ever had, so it never had an event of this partition.
            None if state.messages == state.last_sequence => 0,
            // It had some, perhaps, and they expired. If we saw them go in, we know.
            None => match before {
                Some(before) => before.published[index].min(head),
                // We don't. The log's last event is published again: a reader that has it skips it, and a
                // reader that lacks something before it notices the gap and reads it from the log.
                None => (head - 1).max(0),
            },
        };
    }
    Ok((
        stream,
        End {
            last_sequence: state.last_sequence,
            published,
            positions,
            made,
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

/// Which event a message is. A message that is none of ours counts as none.
fn event_of(message: &StreamMessage, partition: Partition) -> Option<i64> {
    let id = message.headers.get(subject::MESSAGE_ID)?;
    subject::parse_message_id(id.as_str())
        .filter(|(named, _)| *named == partition)
        .map(|(_, seq)| seq)
}
