//! One open stream.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use feedmill_events::{PARTITIONS, Partition, Tag, id};
use metrics::counter;
use serde_json::json;
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use uuid::Uuid;

use super::{
    Seat, event, event_id,
    items::{self, Author, Item, List},
    marks::{Marks, OVERLAP, REACH},
};
use crate::{changes::Changes, error::Error, query, state::AppState};

/// So many events wait for a client to take them.
const WAITING: usize = 8;

/// A client that takes none of them for this long is cut off.
const PATIENCE: Duration = Duration::from_secs(10);

const HEARTBEAT: Duration = Duration::from_secs(15);

/// Items in one read of a list, and reads in a row. What is more than these is left to the list.
const PAGE: i64 = 20;
const PAGES: usize = 50;

/// An item that is not whole yet is waited for, so many times for so long.
const WHOLE_TRIES: usize = 20;
const WHOLE_PAUSE: Duration = Duration::from_millis(50);

/// After a read that failed.
const AGAIN: Duration = Duration::from_secs(1);

/// In milliseconds: clients whose service ends come back at different times.
const RETRY: std::ops::Range<u64> = 1_000..3_000;

const ALL: [bool; PARTITIONS as usize] = [true; PARTITIONS as usize];

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
                () = self.seat.watch.wake.notified() => self.look().await,
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

    /// Reads what may have changed since the last look, and sends what is new.
    async fn look(&mut self) -> Result<(), Cut> {
        let (changes, at) = (self.state.changes.clone(), self.state.changes.now());
        let before = self.seat.watch.seen().at;
        let changed = |tag| !changes.unchanged_since(before, &[Changes::slot(tag)]);
        let conversations = changed(Tag::conversations(self.viewer));
        let notifications = changed(Tag::notifications(self.viewer));
        if changed(Tag::feed(self.viewer)) {
            self.follow().await?;
        }
        // All authors of a partition are read at once, so that its mark holds for all of them.
        let mut partitions = [false; PARTITIONS as usize];
        for author in &self.authors {
            if author.from.is_some() || changed(Tag::posts_of(author.id)) {
                partitions[usize::from(Partition::of(author.id).number())] = true;
            }
        }
        if partitions.contains(&true) {
            self.bring(List::Feed, &partitions).await?;
            self.authors
                .iter_mut()
                .for_each(|author| author.from = None);
        }
        if conversations {
            self.bring(List::Conversations, &ALL).await?;
        }
        if notifications {
            self.bring(List::Notifications, &ALL).await?;
        }
        if conversations || notifications {
            let unread = self.read_unread().await?;
            if self.unread.replace(unread) != Some(unread) {
                self.tell_unread().await?;
            }
        }
        self.seat.watch.seen().at = at;
        Ok(())
    }

    /// Sends what is new in a list.
    async fn bring(
        &mut self,
        list: List,
        partitions: &[bool; PARTITIONS as usize],
    ) -> Result<(), Cut> {
        for _ in 0..PAGES {
            let items = self.read_whole(list, partitions).await?;
            let (count, before) = (items.len(), self.event_id());
            for item in &items {
                self.marks[list as usize].note(item.partition, item.id);
            }
            self.marks[list as usize].tidy(now());
            let after = self.event_id();
            for (index, item) in items.into_iter().enumerate() {
                // Whoever is cut off in the middle gets all of these again.
                let id = if index + 1 < count { &before } else { &after };
                let event = event::event(list.event(), id, &item.json);
                self.send(event).await?;
                counter!("stream_events_total", "event" => list.event()).increment(1);
            }
            if (count as i64) < PAGE {
                return Ok(());
            }
        }
        self.begin(list).await?;
        self.tell_reset(&[list]).await
    }

    /// A page of what is new, once all of it is whole, or after a while as it is.
    async fn read_whole(
        &self,
        list: List,
        partitions: &[bool; PARTITIONS as usize],
    ) -> Result<Vec<Item>, Cut> {
        let mut tries = 0;
        loop {
            let items = self.read(list, partitions).await?;
            tries += 1;
            if tries == WHOLE_TRIES || items.iter().all(|item| item.whole) {
                return Ok(items);
            }
            sleep(WHOLE_PAUSE).await;
        }
    }

    async fn read(
        &self,
        list: List,
        partitions: &[bool; PARTITIONS as usize],
    ) -> Result<Vec<Item>, Error> {
        let _turn = self.seat.streams.0.reads.acquire().await;
        let (pool, viewer) = (&self.state.pool, self.viewer);
        let marks = (&self.marks[list as usize], now());
        match list {
            List::Feed => items::posts(pool, viewer, &self.authors, partitions, marks, PAGE).await,
            List::Conversations => items::messages(pool, viewer, marks, PAGE).await,
            List::Notifications => items::notifications(pool, viewer, marks, PAGE).await,
        }
    }

    /// From now on: what there is now is not new.
    async fn begin(&mut self, list: List) -> Result<(), Error> {
        let now = now();
        let mut marks = Marks::new(now);
        let reach = id::first_of(now - REACH);
        match list {
            List::Feed => {
                self.authors.clear();
                for (author, posts) in self.follow().await? {
                    for post in posts {
                        marks.note(Partition::of(author), post);
                    }
                }
            }
            List::Conversations => {
                let _turn = self.seat.streams.0.reads.acquire().await;
                let messages = query::stream::messages(&self.state.pool, self.viewer, reach);
                for (conversation, message) in messages.await? {
                    marks.note(Partition::of(conversation), message);
                }
            }
            List::Notifications => {
                let _turn = self.seat.streams.0.reads.acquire().await;
                let recent = id::first_of(now - OVERLAP);
                let (pool, viewer) = (&self.state.pool, self.viewer);
                let notifications = query::stream::notifications(pool, viewer, reach, recent);
                for (place, notification) in notifications.await? {
                    marks.note(Partition::of(place), notification);
                }
            }
        }
        marks.tidy(now);
        self.marks[list as usize] = marks;
        Ok(())
    }

    /// Reads whom the viewer follows, and gives their newest posts. Whoever was not followed before brings posts
    /// into the feed, and those are new there.
    async fn follow(&mut self) -> Result<Vec<(Uuid, Vec<Uuid>)>, Error> {
        let reach = id::first_of(now() - REACH);
        let followed = {
            let _turn = self.seat.streams.0.reads.acquire().await;
            query::stream::feed(&self.state.pool, self.viewer, reach).await?
        };
        let known: HashMap<_, _> = self
            .authors
            .iter()
            .map(|known| (known.id, known.from))
            .collect();
        let unknown = (!known.is_empty()).then_some(reach);
        let author = |id| Author {
            id,
            from: known.get(&id).copied().unwrap_or(unknown),
        };
        self.authors = followed.iter().map(|(id, _)| author(*id)).collect();
        let own = [Tag::feed, Tag::conversations, Tag::notifications].map(|tag| tag(self.viewer));
        let theirs = self.authors.iter().map(|author| Tag::posts_of(author.id));
        let tags = own.into_iter().chain(theirs);
        self.seat.watch.seen().slots = tags.map(Changes::slot).collect();
        Ok(followed)
    }

    async fn read_unread(&self) -> Result<(i64, i64), Error> {
        let _turn = self.seat.streams.0.reads.acquire().await;
        Ok(query::stream::unread(&self.state.pool, self.viewer).await?)
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
