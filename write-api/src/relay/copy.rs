//! The leader's work.

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
    Relay,
    lease::{EVENTS_PER_PARTITION, Lease, Places},
    stream::{self, End, StreamError},
    window::{self, Window, WindowError},
};
use crate::appended::{News, from_bytes};

/// How often the log is looked at when nobody says that it has grown.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often an idle leader looks whether the stream is still what it left.
const CHECK_EVERY: Duration = Duration::from_secs(5);

/// How long finding the stream's end may take. With the longest pause after it, still less than PostgreSQL lets
/// the leader be silent.
const ANSWER_WITHIN: Duration = Duration::from_millis(2_500);

/// How long the last messages may take when the service stops.
const LAST_WORDS: Duration = Duration::from_secs(3);

#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Stream(StreamError),
    #[error(transparent)]
    Window(#[from] WindowError),
    #[error("JetStream does not say where the stream ends")]
    Silent,
    #[error("the stream cannot be looked at: {0}")]
    Look(#[from] InfoError),
    #[error("the stream ends at {found} and should end at {expected}")]
    Changed { expected: u64, found: u64 },
}

impl From<StreamError> for Trouble {
    fn from(error: StreamError) -> Self {
        match error {
            StreamError::Database(error) => Self::Database(error),
            error => Self::Stream(error),
        }
    }
}

/// Copies until `stop`, or until the lease is lost, which is the error.
pub async fn lead(relay: &Relay, mut lease: Lease, stop: &CancellationToken) -> sqlx::Result<()> {
    let mut known = None;
    let mut appended = None;
    let mut failures = 0u32;
    loop {
        let started = Instant::now();
        match stretch(relay, &mut lease, &mut appended, &mut known, stop).await {
            Ok(()) => {
                lease.release().await;
                return Ok(());
            }
            Err(Trouble::Database(error)) => return Err(error),
            Err(trouble) => {
                if started.elapsed() > CHECK_EVERY {
                    failures = 0;
                }
                relay.health.note("relay", Err(trouble.to_string()));
                // Once when it begins, and then about every half minute: NATS may be away for long.
                if failures.is_multiple_of(16) {
                    error!(error = %trouble, "the log does not reach JetStream; trying again");
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
        if let Some(End { published, .. }) = &known {
            report(&heads, published);
        }
    }
}

/// Finds the stream's end and copies from there, until `stop` or until something fails.
async fn stretch(
    relay: &Relay,
    lease: &mut Lease,
    appended: &mut Option<Subscriber>,
    known: &mut Option<End>,
    stop: &CancellationToken,
) -> Result<(), Trouble> {
    let jetstream = window::context(relay.nats.clone());
    let asked = timeout(
        ANSWER_WITHIN,
        stream::end(&jetstream, lease, known.as_ref()),
    )
    .await;
    let (stream, end) = asked.map_err(|_| Trouble::Silent)??;
    let appended = match appended {
        Some(appended) => appended,
        // Subscribing waits for nothing; the client repeats it on every reconnect.
        None => match relay.nats.subscribe(subject::APPENDED).await {
            Ok(subscriber) => appended.insert(subscriber),
            Err(_) => return Err(WindowError::Stuck.into()),
        },
    };
    relay.health.note("relay", Ok(()));
    info!(
        stream_sequence = end.last_sequence,
        "the relay goes on from the stream's end"
    );
    let mut window = Window::new(jetstream, &end);
    let end = known.insert(end);
    let done = copy(relay, lease, appended, &stream, &mut window, stop).await;
    end.published = *window.acknowledged();
    end.last_sequence = end.last_sequence.max(window.last_sequence());
    done
}

async fn copy(
    relay: &Relay,
    lease: &mut Lease,
    appended: &mut Subscriber,
    stream: &Stream,
    window: &mut Window,
    stop: &CancellationToken,
) -> Result<(), Trouble> {
    let mut sent = *window.acknowledged();
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut checked = Instant::now();
    let mut grown = PartitionSet::ALL;
    loop {
        // To the log's end, in rounds. Every so often the heads, for whoever watches.
        while send(lease, window, &mut sent, grown).await? {
            if look.tick().now_or_never().is_some() {
                report(&lease.heads().await?, window.acknowledged());
            }
        }
        grown = loop {
            tokio::select! {
                // New events before acknowledgements, which publishing collects too: the window stays full.
                biased;
                () = stop.cancelled() => return last_words(lease, window, &mut sent).await,
                // However much comes: PostgreSQL ends the session of a leader that never asks.
                _ = look.tick() => {
                    report(&lease.heads().await?, window.acknowledged());
                    if window.is_empty() && checked.elapsed() >= CHECK_EVERY {
                        checked = Instant::now();
                        check(stream, window.expected()).await?;
                    }
                    break PartitionSet::ALL;
                }
                news = relay.appended.next() => break pass_on(news, window, &mut sent).await?,
                Some(said) = appended.next() => {
                    let mut grown = from_bytes(&said.payload);
                    while let Some(Some(said)) = appended.next().now_or_never() {
                        grown.insert_all(from_bytes(&said.payload));
                    }
                    break grown;
                }
                acknowledged = window.next_ack() => acknowledged?,
            }
        };
    }
}

/// Publishes, of what was handed over, what follows `sent`. Gives the partitions in which there is more, in the log.
async fn pass_on(
    news: News,
    window: &mut Window,
    sent: &mut Places,
) -> Result<PartitionSet, Trouble> {
    let (mut events, mut others) = (news.events, news.others);
    // Lanes hand over side by side; and the events of a partition go faster after one another.
    events.sort_unstable_by_key(|event| (event.partition, event.seq));
    for event in events {
        let place = &mut sent[usize::from(event.partition.number())];
        if event.seq > *place + 1 {
            others.insert(event.partition);
        } else if event.seq > *place {
            *place = event.seq;
            window.publish(event).await?;
        }
    }
    Ok(others)
}

/// Publishes what follows `sent`, some of each partition that has grown. Says whether there may be more.
async fn send(
    lease: &mut Lease,
    window: &mut Window,
    sent: &mut Places,
    grown: PartitionSet,
) -> Result<bool, Trouble> {
    if grown == PartitionSet::EMPTY {
        return Ok(false);
    }
    let mut more = false;
    let after = *sent;
    let mut entries = lease.following(&after, grown);
    while let Some(entry) = entries.try_next().await? {
        let (partition, seq) = (usize::from(entry.partition.number()), entry.seq);
        window.publish(entry).await?;
        sent[partition] = seq;
        more |= seq - after[partition] >= EVENTS_PER_PARTITION;
    }
    Ok(more)
}

/// A stream that was deleted, emptied and refilled, or restored is not the one that we knew.
async fn check(stream: &Stream, expected: u64) -> Result<(), Trouble> {
    let found = stream.get_info().await?.state.last_sequence;
    if found == expected {
        Ok(())
    } else {
        Err(Trouble::Changed { expected, found })
    }
}

/// What the last commands left behind, if it can be had quickly.
async fn last_words(
    lease: &mut Lease,
    window: &mut Window,
    sent: &mut Places,
) -> Result<(), Trouble> {
    let rest = async {
        while send(lease, window, sent, PartitionSet::ALL).await? {}
        while !window.is_empty() {
            window.next_ack().await?;
        }
        Ok::<(), Trouble>(())
    };
    timeout(LAST_WORDS, rest).await.ok();
    Ok(())
}

fn report(heads: &Places, published: &Places) {
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
