//! The leader: publishes the log from the end of the stream.

use std::time::Duration;

use async_nats::{
    Subscriber,
    jetstream::stream::{InfoError, Stream},
};
use feedmill_events::{PartitionSet, subject};
use futures::{FutureExt, StreamExt, TryStreamExt};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::{
    context::Relay,
    lease::{Lease, MAX_EVENTS_PER_PARTITION, Offsets},
    stream::{self, StreamEnd, StreamError},
    window::{self, Window, WindowError},
};
use crate::commit_notifier::{Committed, from_bytes};

/// How often the log is read without an announcement.
const LOG_POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How often an idle leader checks the end of the stream.
const STREAM_POLL_INTERVAL: Duration = Duration::from_secs(5);

/// How long opening the stream may take. Together with the longest pause after a failure it is less than the silence for
/// which PostgreSQL ends the leader's session.
const OPEN_TIMEOUT: Duration = Duration::from_millis(2_500);

/// How long publishing the rest of the log may take when the service stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(3);

#[derive(Debug, thiserror::Error)]
enum RelayError {
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Stream(StreamError),
    #[error(transparent)]
    Window(#[from] WindowError),
    #[error("JetStream does not answer")]
    Timeout,
    #[error("the stream cannot be read: {0}")]
    Info(#[from] InfoError),
    #[error("the stream ends at {found} and should end at {expected}")]
    Changed { expected: u64, found: u64 },
}

impl From<StreamError> for RelayError {
    fn from(error: StreamError) -> Self {
        match error {
            StreamError::Database(error) => Self::Database(error),
            error => Self::Stream(error),
        }
    }
}

/// Publishes until `stop`. The error is the loss of the lease.
pub async fn lead(relay: &Relay, mut lease: Lease, stop: &CancellationToken) -> sqlx::Result<()> {
    let mut known = None;
    let mut announcements = None;
    let mut failures = 0u32;
    loop {
        let started = Instant::now();
        match attempt(relay, &mut lease, &mut announcements, &mut known, stop).await {
            Ok(()) => {
                lease.release().await;
                return Ok(());
            }
            Err(RelayError::Database(error)) => return Err(error),
            Err(error) => {
                if started.elapsed() > STREAM_POLL_INTERVAL {
                    failures = 0;
                }
                relay.health.set_optional("relay", Err(error.to_string()));
                // The first failure, and then about one every half minute: NATS may be down for long.
                if failures.is_multiple_of(16) {
                    error!(%error, "relay: cannot publish to JetStream, retrying");
                }
                failures += 1;
            }
        }
        let pause = Duration::from_millis(50 << failures.min(4));
        tokio::select! {
            () = stop.cancelled() => { lease.release().await; return Ok(()) }
            () = sleep(pause) => {}
        }
        let heads = lease.heads().await?;
        if let Some(StreamEnd { published, .. }) = &known {
            report(&heads, published);
        }
    }
}

/// Publishes from the end of the stream, until `stop` or a failure.
async fn attempt(
    relay: &Relay,
    lease: &mut Lease,
    announcements: &mut Option<Subscriber>,
    known: &mut Option<StreamEnd>,
    stop: &CancellationToken,
) -> Result<(), RelayError> {
    let jetstream = window::context(relay.nats.clone());
    let key = relay.secrets.get().await?.events.clone();
    let opened = timeout(
        OPEN_TIMEOUT,
        stream::open(&jetstream, lease, &key, known.as_ref()),
    )
    .await;
    let (stream, end) = opened.map_err(|_| RelayError::Timeout)??;
    let announcements = match announcements {
        Some(announcements) => announcements,
        // The client subscribes again on every reconnect.
        None => match relay.nats.subscribe(subject::APPENDED).await {
            Ok(subscriber) => announcements.insert(subscriber),
            Err(_) => return Err(WindowError::Stuck.into()),
        },
    };
    relay.health.set_optional("relay", Ok(()));
    info!(
        stream_sequence = end.last_sequence,
        "relay: publishing from the end of the stream"
    );
    let mut window = Window::new(jetstream, &end, key);
    let end = known.insert(end);
    let result = publish(relay, lease, announcements, &stream, &mut window, stop).await;
    end.published = *window.acknowledged();
    end.last_sequence = end.last_sequence.max(window.last_sequence());
    result
}

async fn publish(
    relay: &Relay,
    lease: &mut Lease,
    announcements: &mut Subscriber,
    stream: &Stream,
    window: &mut Window,
    stop: &CancellationToken,
) -> Result<(), RelayError> {
    let mut sent = *window.acknowledged();
    let mut poll = interval(LOG_POLL_INTERVAL);
    poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut checked = Instant::now();
    let mut grown = PartitionSet::ALL;
    loop {
        // In rounds, to the end of the log. A long catch-up reports its progress.
        while send_from_log(lease, window, &mut sent, grown).await? {
            if poll.tick().now_or_never().is_some() {
                report(&lease.heads().await?, window.acknowledged());
            }
        }
        grown = loop {
            tokio::select! {
                // New events come before acknowledgements, so that the window stays full; publishing collects those too.
                biased;
                () = stop.cancelled() => return drain(lease, window, &mut sent).await,
                // Before new events, because PostgreSQL ends the session of a silent leader.
                _ = poll.tick() => {
                    report(&lease.heads().await?, window.acknowledged());
                    if window.is_empty() && checked.elapsed() >= STREAM_POLL_INTERVAL {
                        checked = Instant::now();
                        check(stream, window.expected()).await?;
                    }
                    break PartitionSet::ALL;
                }
                committed = relay.notifier.next() => break send_committed(committed, window, &mut sent).await?,
                Some(message) = announcements.next() => {
                    let mut grown = from_bytes(&message.payload);
                    while let Some(Some(message)) = announcements.next().now_or_never() {
                        grown.insert_all(from_bytes(&message.payload));
                    }
                    break grown;
                }
                acknowledged = window.next_ack() => acknowledged?,
            }
        };
    }
}

/// Publishes the committed entries that continue `sent`. Returns the partitions with entries that must be read from the log.
async fn send_committed(
    committed: Committed,
    window: &mut Window,
    sent: &mut Offsets,
) -> Result<PartitionSet, RelayError> {
    let (mut entries, mut missing) = (committed.entries, committed.dropped);
    // Lanes run concurrently, so entries arrive out of order. Consecutive entries of a partition are also faster to publish.
    entries.sort_unstable_by_key(|entry| (entry.partition, entry.seq));
    for entry in entries {
        let offset = &mut sent[usize::from(entry.partition.number())];
        if entry.seq > *offset + 1 {
            missing.insert(entry.partition);
        } else if entry.seq > *offset {
            *offset = entry.seq;
            window.publish(entry).await?;
        }
    }
    Ok(missing)
}

/// Reads the entries after `sent` in the partitions that have grown, and publishes them. Returns whether there may be more.
async fn send_from_log(
    lease: &mut Lease,
    window: &mut Window,
    sent: &mut Offsets,
    grown: PartitionSet,
) -> Result<bool, RelayError> {
    if grown == PartitionSet::EMPTY {
        return Ok(false);
    }
    let mut more = false;
    let after = *sent;
    let mut entries = lease.read(&after, grown);
    while let Some(entry) = entries.try_next().await? {
        let (partition, seq) = (usize::from(entry.partition.number()), entry.seq);
        window.publish(entry).await?;
        sent[partition] = seq;
        more |= seq - after[partition] >= MAX_EVENTS_PER_PARTITION;
    }
    Ok(more)
}

/// An error if the stream was deleted, purged or restored.
async fn check(stream: &Stream, expected: u64) -> Result<(), RelayError> {
    let found = stream.get_info().await?.state.last_sequence;
    if found == expected {
        Ok(())
    } else {
        Err(RelayError::Changed { expected, found })
    }
}

/// Publishes the rest of the log, within a limit of time.
async fn drain(
    lease: &mut Lease,
    window: &mut Window,
    sent: &mut Offsets,
) -> Result<(), RelayError> {
    let rest = async {
        while send_from_log(lease, window, sent, PartitionSet::ALL).await? {}
        while !window.is_empty() {
            window.next_ack().await?;
        }
        Ok::<(), RelayError>(())
    };
    timeout(DRAIN_TIMEOUT, rest).await.ok();
    Ok(())
}

fn report(heads: &Offsets, published: &Offsets) {
    let mut lag = 0;
    let mut total = 0u64;
    for (partition, (head, done)) in heads.iter().zip(published).enumerate() {
        metrics::gauge!("log_head", "partition" => partition.to_string()).set(*head as f64);
        lag += head - done;
        total += head.unsigned_abs();
    }
    metrics::gauge!("relay_lag_events").set(lag as f64);
    metrics::counter!("log_events_total").absolute(total);
}
