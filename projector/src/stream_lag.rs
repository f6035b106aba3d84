//! How far the JetStream stream is behind the log.
//!
//! Projections do not depend on the stream: events that it lacks are read from the log. But then they are applied later,
//! so write-api's relay must not fail unnoticed. The heads come from PostgreSQL, so a stream without messages is not
//! mistaken for a log without events.

use std::time::{Duration, Instant};

use async_nats::{
    Client,
    connection::State,
    jetstream::{
        self,
        stream::{LastRawMessageErrorKind, Stream},
    },
};
use feedmill_events::{Partition, subject};
use feedmill_service::Health;
use futures::{StreamExt as _, TryStreamExt as _};
use tokio_util::sync::CancellationToken;

use crate::{
    connection::LazyConnection,
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

/// The last event of each partition in the stream. A partition whose messages the stream no longer has counts as
/// complete (`heads`), since nothing is known about it. Errors, as text for people: NATS or the stream is unavailable.
pub async fn stream_offsets(nats: &Client, heads: &Offsets) -> Result<Offsets, String> {
    if nats.connection_state() != State::Connected {
        return Err("NATS is not connected".to_owned());
    }
    let events = tokio::time::timeout(RESPONSE_TIMEOUT, last_events(nats, heads)).await;
    events.map_err(|_| format!("JetStream did not answer within {RESPONSE_TIMEOUT:?}"))?
}

async fn last_events(nats: &Client, heads: &Offsets) -> Result<Offsets, String> {
    let stream = jetstream::new(nats.clone())
        .get_stream(subject::STREAM)
        .await
        .map_err(|error| format!("cannot open the stream {}: {error}", subject::STREAM))?;
    let state = &stream.cached_info().state;
    let is_complete = state.messages == state.last_sequence;
    let found: Vec<(Partition, Option<i64>)> = futures::stream::iter(Partition::all())
        .map(|partition| last_event(&stream, partition))
        .buffer_unordered(CONCURRENT_REQUESTS)
        .try_collect()
        .await?;
    let mut offsets = Offsets::default();
    for (partition, seq) in found {
        offsets[partition] = seq.unwrap_or(if is_complete { 0 } else { heads[partition] });
    }
    Ok(offsets)
}

async fn last_event(
    stream: &Stream,
    partition: Partition,
) -> Result<(Partition, Option<i64>), String> {
    let subject = subject::events(partition);
    match stream.get_last_raw_message_by_subject(&subject).await {
        Ok(message) => {
            let id = message.headers.get(subject::MESSAGE_ID);
            let event = id.and_then(|id| subject::parse_message_id(id.as_str()));
            Ok((partition, event.map(|(_, seq)| seq)))
        }
        Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => {
            Ok((partition, None))
        }
        Err(error) => Err(format!("cannot read the stream: {error}")),
    }
}

async fn heads(connection: &mut LazyConnection) -> Result<Offsets, ApplyError> {
    log::heads(connection.get().await?).await
}

/// Measures the stream's lag until `stop`: sets metrics, and a note in the health endpoint while the stream lags.
pub async fn watch(
    mut connection: LazyConnection,
    nats: Client,
    health: Health,
    stop: CancellationToken,
) {
    let (mut lag, all) = (Lag::default(), Partition::all().collect());
    let mut was_late = None;
    loop {
        let heads = heads(&mut connection).await;
        if heads.is_err() {
            connection.discard();
        }
        if let Ok(heads) = heads
            && let Ok(stream) = stream_offsets(&nats, &heads).await
        {
            let now = Instant::now();
            lag.record(now, &heads);
            let duration = lag.duration(now, &stream, &all);
            metrics::gauge!(names::STREAM_LAG_EVENTS).set(distance(&stream, &heads) as f64);
            metrics::gauge!(names::STREAM_LAG_SECONDS).set(duration.as_secs_f64());
            let is_late = duration > MAX_EXPECTED_LAG;
            // A note is logged when it changes, so it has no changing numbers: those are in the metrics.
            if was_late.replace(is_late) != Some(is_late) {
                let note = if is_late {
                    Err(
                        "the stream is behind the log: write-api's relay is down or slow; reading the log"
                            .to_owned(),
                    )
                } else {
                    Ok(())
                };
                health.note("relay", note);
            }
        }
        tokio::select! {
            () = tokio::time::sleep(POLL_INTERVAL) => {}
            () = stop.cancelled() => return,
        }
    }
}
