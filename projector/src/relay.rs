//! How far the stream is behind the log.
//!
//! Projections do not depend on it: what does not come they read from the log. But a relay that is down would
//! go unnoticed, and everything come late. Heads that do not move are no sign of peace here either: they
//! are the log's own, of PostgreSQL.

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
    error::ApplyError,
    lag::Lag,
    log::{self, Places},
    metrics as names,
    store::Store,
};

/// Between two looks of an instance.
const LOOK: Duration = Duration::from_secs(2);
/// A relay that needs longer than this for an event is worth a word.
const TOLERATED: Duration = Duration::from_secs(3);
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
const REQUESTS: usize = 16;

/// The last event of each partition that the stream has. `heads` stand for partitions that it once had and
/// has no longer, of which nothing can be said. Errors, for people: NATS or the stream is not there.
pub async fn places(nats: &Client, heads: &Places) -> Result<Places, String> {
    if nats.connection_state() != State::Connected {
        return Err("NATS is not connected".to_owned());
    }
    let asked = tokio::time::timeout(ANSWER_WITHIN, last_events(nats, heads)).await;
    asked.map_err(|_| format!("JetStream did not answer within {ANSWER_WITHIN:?}"))?
}

async fn last_events(nats: &Client, heads: &Places) -> Result<Places, String> {
    let stream = jetstream::new(nats.clone())
        .get_stream(subject::STREAM)
        .await
        .map_err(|error| format!("there is no stream {}: {error}", subject::STREAM))?;
    let state = &stream.cached_info().state;
    let whole = state.messages == state.last_sequence;
    let found: Vec<(Partition, Option<i64>)> = futures::stream::iter(Partition::all())
        .map(|partition| last_event(&stream, partition))
        .buffer_unordered(REQUESTS)
        .try_collect()
        .await?;
    let mut places = Places::default();
    for (partition, seq) in found {
        places[partition] = seq.unwrap_or(if whole { 0 } else { heads[partition] });
    }
    Ok(places)
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
        Err(error) => Err(format!("the stream cannot be read: {error}")),
    }
}

/// How many events of the log the stream does not have.
pub fn behind(heads: &Places, stream: &Places) -> i64 {
    Partition::all()
        .map(|partition| (heads[partition] - stream[partition]).max(0))
        .sum()
}

async fn heads(store: &mut Store) -> Result<Places, ApplyError> {
    log::heads(store.connection().await?).await
}

/// Watches the relay until `stop`: metrics, and a word in the health when the stream stays behind.
pub async fn watch(mut store: Store, nats: Client, health: Health, stop: CancellationToken) {
    let (mut lag, all) = (Lag::default(), Partition::all().collect());
    let mut late = None;
    loop {
        let heads = heads(&mut store).await;
        if heads.is_err() {
            store.forget();
        }
        if let Ok(heads) = heads
            && let Ok(stream) = places(&nats, &heads).await
        {
            let now = Instant::now();
            lag.see(now, &heads);
            let since = lag.since(now, &stream, &all);
            let events = behind(&heads, &stream);
            metrics::gauge!(names::STREAM_LAG_EVENTS).set(events as f64);
            metrics::gauge!(names::STREAM_LAG_SECONDS).set(since.as_secs_f64());
            // Said once each time, without numbers that change: those are in the metrics.
            if late != Some(since > TOLERATED) {
                late = Some(since > TOLERATED);
                health.note(
                    "relay",
                    if since > TOLERATED {
                        Err("the stream is behind the log, so the relay is down or slow; reading the log".to_owned())
                    } else {
                        Ok(())
                    },
                );
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = stop.cancelled() => return,
        }
    }
}
