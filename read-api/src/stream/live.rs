//! One open stream.

mod look;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use metrics::counter;
use serde_json::json;
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use uuid::Uuid;

use super::{
    Seat, event, event_id,
    items::{Author, List},
    marks::{Marks, REACH},
};
use crate::{error::Error, state::AppState};

/// So many events wait for a client to take them.
const WAITING: usize = 8;

/// A client that takes none of them for this long is cut off.
const PATIENCE: Duration = Duration::from_secs(10);

const HEARTBEAT: Duration = Duration::from_secs(15);

/// A look that took long, because there is much to look at or many look at once, is followed by a rest: so many
/// times as long, but no longer than this.
const REST_FACTOR: u32 = 2;
const REST: Duration = Duration::from_millis(300);

/// After a read that failed.
const AGAIN: Duration = Duration::from_secs(1);

/// In milliseconds: clients whose service ends come back at different times.
const RETRY: std::ops::Range<u64> = 1_000..3_000;

pub struct Live {
    state: AppState,
    viewer: Uuid,
    seat: Seat,
    authors: Vec<Author>,
    /// By [`List`].
    marks: [Marks; event_id::LISTS],
    unread: Option<(i64, i64)>,
    out: mpsc::Sender<Bytes>,
}

/// Why a stream ends.
#[derive(Debug)]
enum End {
    Slow,
    Gone,
    Expired,
    Shutdown,
}

/// Why a look at what is new ended early.
enum Cut {
    End(End),
    /// To be tried again.
    Failed(Error),
}

impl From<Error> for Cut {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Opens a stream that ends when the token does (`expires`, in seconds since 1970): what it sends from now on,
/// or from what `last_event_id` says on. Errors: an id that is not of the viewer's stream, too many streams, and
/// what a read can fail with.
pub async fn open(
    state: AppState,
    viewer: Uuid,
    expires: u64,
    last_event_id: Option<&str>,
) -> Result<mpsc::Receiver<Bytes>, Error> {
    let had = last_event_id
        .map(|id| event_id::open(&state.cursors, viewer, id).ok_or(Error::EventId))
        .transpose()?;
    let seat = state.streams.seat(viewer)?;
    let (out, receiver) = mpsc::channel(WAITING);
    let now = now();
    let mut live = Live {
        state,
        viewer,
        seat,
        authors: vec![],
        marks: std::array::from_fn(|_| Marks::new(now)),
        unread: None,
        out,
    };
    let at = live.state.changes.now();
    let away_too_long = had.as_ref().is_some_and(|had| now - had.moment > REACH);
    match had {
        Some(had) if !away_too_long => {
            live.marks = had.marks;
            live.follow().await?;
            // The seat has seen nothing: all may have changed.
        }
        _ => {
            for list in List::ALL {
                live.begin(list).await?;
            }
            live.seat.watch.seen().at = at;
        }
    }
    live.unread = Some(live.read_unread().await?);
    tokio::spawn(live.run(expires, away_too_long));
    Ok(receiver)
}

impl Live {
    async fn run(mut self, expires: u64, away_too_long: bool) {
        let stop = self.seat.streams.0.stop.clone();
        let out = self.out.clone();
        let left = Duration::from_secs(expires).saturating_sub(since_epoch());
        let end = tokio::select! {
            biased;
            () = stop.cancelled() => End::Shutdown,
            () = out.closed() => End::Gone,
            () = sleep(left) => End::Expired,
            end = self.work(away_too_long) => end,
        };
        tracing::debug!(?end, "a stream ends");
        let why = match end {
            End::Slow => "slow",
            End::Gone => "gone",
            End::Expired => "expired",
            End::Shutdown => "shutdown",
        };
        counter!("stream_ends_total", "why" => why).increment(1);
    }

    async fn work(&mut self, away_too_long: bool) -> End {
        match self.greet(away_too_long).await {
            Ok(()) | Err(Cut::Failed(_)) => {}
            Err(Cut::End(end)) => return end,
        }
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        heartbeat.reset();
        // Something may have changed since the stream began to be opened.
        self.seat.watch.wake.notify_one();
        loop {
            let done = tokio::select! {
                () = self.seat.watch.wake.notified() => {
                    let began = Instant::now();
                    let looked = self.look().await;
                    sleep(REST.min(began.elapsed() * REST_FACTOR)).await;
                    looked
                }
                _ = heartbeat.tick() => {
                    let id = self.event_id();
                    self.send(event::heartbeat(&id)).await
                }
            };
            match done {
                Ok(()) => {}
                Err(Cut::End(end)) => return end,
                Err(Cut::Failed(error)) => {
                    tracing::debug!(%error, "a stream could not be read; trying again");
                    sleep(AGAIN).await;
                    self.seat.watch.wake.notify_one();
                }
            }
        }
    }

    async fn greet(&mut self, away_too_long: bool) -> Result<(), Cut> {
        let millis = rand::Rng::gen_range(&mut rand::thread_rng(), RETRY);
        self.send(event::retry(millis)).await?;
        if away_too_long {
            self.tell_reset(&List::ALL).await?;
        }
        self.tell_unread().await
    }

    async fn tell_unread(&mut self) -> Result<(), Cut> {
        let Some((unread_total, unread_count)) = self.unread else {
            return Ok(());
        };
        let counts = json!({
            "conversations": { "unread_total": unread_total },
            "notifications": { "unread_count": unread_count },
        });
        self.tell("unread", &counts.to_string()).await
    }

    async fn tell_reset(&mut self, lists: &[List]) -> Result<(), Cut> {
        counter!("stream_resets_total").increment(1);
        let names: Vec<_> = lists.iter().map(|list| list.name()).collect();
        self.tell("reset", &json!({ "lists": names }).to_string())
            .await
    }

    async fn tell(&self, name: &'static str, data: &str) -> Result<(), Cut> {
        let event = event::event(name, &self.event_id(), data);
        counter!("stream_events_total", "event" => name).increment(1);
        self.send(event).await
    }

    async fn send(&self, bytes: Bytes) -> Result<(), Cut> {
        match timeout(PATIENCE, self.out.send(bytes)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Cut::End(End::Gone)),
            Err(_) => Err(Cut::End(End::Slow)),
        }
    }

    fn event_id(&self) -> String {
        event_id::seal(&self.state.cursors, self.viewer, now(), &self.marks)
    }
}

fn since_epoch() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// In Unix milliseconds.
fn now() -> i64 {
    since_epoch().as_millis() as i64
}
