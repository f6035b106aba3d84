//! How far the JetStream stream is behind the log, and whether it has what the log does not have.
//!
//! Projections do not depend on the stream: events that it lacks are read from the log. But then they are applied later,
//! so write-api's relay must not fail unnoticed. The heads come from PostgreSQL, so a stream without messages is not
//! mistaken for a log without events.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use async_nats::{
    Client,
    connection::State,
    jetstream::{
        self,
        stream::{LastRawMessageErrorKind, Stream},
    },
};
use feedmill_events::{
    EventKey, Partition,
    mac::LoggedMessage,
    subject::{self, MessageId},
};
use feedmill_service::{Health, sql::named};
use futures::{StreamExt as _, TryStreamExt as _};
use sqlx::{PgConnection, query};
use tokio_util::sync::CancellationToken;

use crate::{
    connection::{LazyConnection, with_timeout},
    error::ApplyError,
    lag::Lag,
    log::{self, Offsets, distance},
    metrics as names,
};

const POLL_INTERVAL: Duration = Duration::from_secs(2);
/// A longer lag is reported in the health endpoint.
const MAX_EXPECTED_LAG: Duration = Duration::from_secs(3);
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(3);
const CONCURRENT_REQUESTS: usize = 16;

/// What the stream has.
#[derive(Debug)]
pub struct StreamState {
    /// The last event of each partition. A partition whose messages the stream no longer has counts as complete (`heads`),
    /// since nothing is known about it.
    pub offsets: Offsets,
    /// The partitions whose last message is not the event that the log has in its place. write-api's relay removes such
    /// messages when it opens the stream.
    pub forked: BTreeSet<Partition>,
}

/// Errors, as text for people: NATS, the stream or the log is unavailable.
pub async fn stream_state(
    nats: &Client,
    key: &EventKey,
    db: &mut PgConnection,
    heads: &Offsets,
) -> Result<StreamState, String> {
    if nats.connection_state() != State::Connected {
        return Err("NATS is not connected".to_owned());
    }
    let read = tokio::time::timeout(RESPONSE_TIMEOUT, last_events(nats));
    let (last, is_complete) = read
        .await
        .map_err(|_| format!("JetStream did not answer within {RESPONSE_TIMEOUT:?}"))??;
    // After the stream, so that the log has each of these events, unless they are not its own.
    let logged = logged_codes(key, db, &last).await;
    let logged = logged.map_err(|error| format!("cannot read the log: {error}"))?;
    let mut state = StreamState {
        offsets: Offsets::default(),
        forked: BTreeSet::new(),
    };
    for (partition, event) in last {
        state.offsets[partition] = match event {
            Some(event) => {
                if event.differs(logged.get(&partition)) {
                    state.forked.insert(partition);
                }
                event.seq
            }
            None if is_complete => 0,
            None => heads[partition],
        };
    }
    Ok(state)
}

/// What the last message of a partition says that it is.
#[derive(Default)]
struct LastEvent {
    /// 0 if no relay published the message.
    seq: i64,
    /// None from a relay of a version before signatures.
    code: Option<String>,
}

impl LastEvent {
    /// `logged` is the code of the log's event in its place. Events without a code are compared by place only.
    fn differs(&self, logged: Option<&String>) -> bool {
        logged.is_none() || self.code.is_some() && self.code.as_ref() != logged
    }
}

/// The last event of each partition, None without messages.
type LastEvents = Vec<(Partition, Option<LastEvent>)>;

/// Also returns whether the stream never lost a message.
async fn last_events(nats: &Client) -> Result<(LastEvents, bool), String> {
    let stream = jetstream::new(nats.clone())
        .get_stream(subject::STREAM)
        .await
        .map_err(|error| format!("cannot open the stream {}: {error}", subject::STREAM))?;
    let state = &stream.cached_info().state;
    let is_complete = state.messages == state.last_sequence;
    let found = futures::stream::iter(Partition::all())
        .map(async |partition| Ok::<_, String>((partition, last_event(&stream, partition).await?)))
        .buffer_unordered(CONCURRENT_REQUESTS)
        .try_collect()
        .await?;
    Ok((found, is_complete))
}

async fn last_event(stream: &Stream, partition: Partition) -> Result<Option<LastEvent>, String> {
    let subject = subject::events(partition);
    match stream.get_last_raw_message_by_subject(&subject).await {
        Ok(message) => {
            let id = message.headers.get(subject::MESSAGE_ID);
            let id = id.and_then(|id| MessageId::parse(id.as_str()));
            let event = id.map(|id| LastEvent {
                seq: id.seq,
                code: id.signature.map(|it| it.code.to_owned()),
            });
            Ok(Some(event.unwrap_or_default()))
        }
        Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
        Err(error) => Err(format!("cannot read the stream: {error}")),
    }
}

/// The codes of the log's events in the places of these events, as far as it has any.
async fn logged_codes(
    key: &EventKey,
    db: &mut PgConnection,
    events: &LastEvents,
) -> sqlx::Result<BTreeMap<Partition, String>> {
    let places = events
        .iter()
        .filter_map(|(p, it)| Some((i16::from(*p), it.as_ref()?.seq)));
    let (partitions, seqs): (Vec<i16>, Vec<i64>) = places.unzip();
    let select = query!(
        r#"/* stream_lag.logged */
        SELECT partition, seq, type AS event_type, trace, body FROM write.events
        WHERE (partition, seq) IN (SELECT * FROM unnest($1::smallint[], $2::bigint[]))"#,
        &partitions,
        &seqs,
    );
    let rows = named("stream_lag.logged", with_timeout(select.fetch_all(db))).await?;
    let codes = rows.into_iter().filter_map(|row| {
        let partition = Partition::try_from(row.partition).ok()?;
        let code = key.sign(&LoggedMessage {
            partition,
            seq: row.seq,
            event_type: &row.event_type,
            trace: row.trace.as_deref(),
            body: &row.body,
        });
        Some((partition, code))
    });
    Ok(codes.collect())
}

async fn heads(connection: &mut LazyConnection) -> Result<Offsets, ApplyError> {
    log::heads(connection.get().await?).await
}

/// Measures the stream's lag until `stop`: sets metrics, and a note in the health endpoint while the stream lags.
pub async fn watch(
    mut connection: LazyConnection,
    nats: Client,
    key: EventKey,
    health: Health,
    stop: CancellationToken,
) {
    let (mut lag, all) = (Lag::default(), Partition::all().collect());
    let mut note = None;
    loop {
        let heads = heads(&mut connection).await;
        if heads.is_err() {
            connection.discard();
        }
        if let Ok(heads) = heads
            && let Ok(db) = connection.get().await
            && let Ok(stream) = stream_state(&nats, &key, db, &heads).await
        {
            let now = Instant::now();
            lag.record(now, &heads);
            let duration = lag.duration(now, &stream.offsets, &all);
            metrics::gauge!(names::STREAM_LAG_EVENTS).set(distance(&stream.offsets, &heads) as f64);
            metrics::gauge!(names::STREAM_LAG_SECONDS).set(duration.as_secs_f64());
            metrics::gauge!(names::STREAM_FORKED).set(stream.forked.len() as f64);
            // A note is logged when it changes, so it has no changing numbers: those are in the metrics.
            let new = if !stream.forked.is_empty() {
                Some(
                    "the stream has events that the log does not have; write-api's relay removes them, or says what to do",
                )
            } else if duration > MAX_EXPECTED_LAG {
                Some(
                    "the stream is behind the log: write-api's relay is down or slow; reading the log",
                )
            } else {
                None
            };
            if note.replace(new) != Some(new) {
                health.set_optional("relay", new.map_or(Ok(()), |text| Err(text.to_owned())));
            }
        }
        tokio::select! {
            () = tokio::time::sleep(POLL_INTERVAL) => {}
            () = stop.cancelled() => return,
        }
    }
}
