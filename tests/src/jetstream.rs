//! The JetStream stream, compared with the log.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, ensure};
use async_nats::jetstream::{
    self,
    consumer::{AckPolicy, pull},
    stream::Stream,
};
use feedmill_events::subject::{self, MessageId};
use futures::StreamExt;
use rand::{Rng, rngs::StdRng};
use sqlx::PgPool;
use tokio::time::timeout;

use crate::kit::connect_nats;

/// A healthy NATS server answers within this time.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Partition and sequence number.
pub type Place = (u8, i64);

async fn open(nats_url: &str) -> Result<Stream> {
    let opening = async {
        let jetstream = jetstream::new(connect_nats(nats_url).await?);
        anyhow::Ok(jetstream.get_stream(subject::STREAM).await?)
    };
    timeout(REQUEST_TIMEOUT, opening).await?
}

fn place(id: Option<&str>) -> Option<Place> {
    let id = MessageId::parse(id?)?;
    Some((id.partition.number(), id.seq))
}

/// Deletes a random message; returns which event it was.
pub async fn delete_random(nats_url: &str, rng: &mut StdRng) -> Result<Place> {
    delete(nats_url, |first, last| rng.gen_range(first..=last)).await
}

/// Deletes the last message; returns which event it was.
pub async fn delete_latest(nats_url: &str) -> Result<Place> {
    delete(nats_url, |_, last| last).await
}

async fn delete(nats_url: &str, which: impl FnOnce(u64, u64) -> u64) -> Result<Place> {
    let stream = open(nats_url).await?;
    let finding = async {
        let state = stream.get_info().await?.state;
        ensure!(state.messages > 0, "the stream is empty");
        let sequence = which(state.first_sequence, state.last_sequence);
        let message = stream.get_raw_message(sequence).await?;
        let id = message.headers.get(subject::MESSAGE_ID);
        let place = place(id.map(async_nats::HeaderValue::as_str))
            .context("a message without an event id")?;
        anyhow::Ok((sequence, place))
    };
    let (sequence, place) = timeout(REQUEST_TIMEOUT, finding).await??;
    // It may be deleted even if no answer comes.
    timeout(REQUEST_TIMEOUT, stream.delete_message(sequence))
        .await
        .ok();
    Ok(place)
}

/// Every event of the stream with its body, in the stream's order.
async fn contents(nats_url: &str) -> Result<Vec<(Place, Vec<u8>)>> {
    let stream = open(nats_url).await?;
    let mut count = usize::try_from(stream.get_info().await?.state.messages)?;
    let config = pull::Config {
        ack_policy: AckPolicy::None,
        ..pull::Config::default()
    };
    let consumer = stream.create_consumer(config).await?;
    let mut all = Vec::with_capacity(count);
    while count > 0 {
        let mut batch = consumer
            .fetch()
            .max_messages(count.min(500))
            .messages()
            .await?;
        while let Some(message) = timeout(REQUEST_TIMEOUT, batch.next()).await? {
            let message = message.map_err(|error| anyhow!("{error}"))?;
            let headers = message.headers.as_ref();
            let id = headers.and_then(|headers| headers.get(subject::MESSAGE_ID));
            let place = place(id.map(async_nats::HeaderValue::as_str))
                .context("a message without an event id")?;
            all.push((place, message.payload.to_vec()));
            count = count.saturating_sub(1);
        }
    }
    Ok(all)
}

/// Fails unless the stream contains every event of the log exactly once and nothing else, in the order of each
/// partition. Events that were `deleted` from it on purpose may be missing. Returns the number of messages.
pub async fn check(nats_url: &str, pool: &PgPool, deleted: &BTreeSet<Place>) -> Result<usize> {
    let rows: Vec<(i16, i64, Vec<u8>)> =
        sqlx::query_as("SELECT partition, seq, body FROM write.events")
            .fetch_all(pool)
            .await?;
    let mut log = BTreeMap::new();
    for (partition, seq, body) in rows {
        log.insert((u8::try_from(partition)?, seq), body);
    }
    let contents = contents(nats_url).await?;
    let mut last = BTreeMap::new();
    for (place, body) in &contents {
        let before = last.insert(place.0, place.1).unwrap_or(0);
        ensure!(before < place.1, "the stream has {place:?} after {before}");
        ensure!(
            log.remove(place).as_ref() == Some(body),
            "event {place:?} differs between stream and log"
        );
    }
    log.retain(|place, _| !deleted.contains(place));
    let missing: Vec<_> = log.keys().take(10).collect();
    ensure!(
        missing.is_empty(),
        "the stream lacks {} events of the log: {missing:?} …",
        log.len()
    );
    Ok(contents.len())
}
