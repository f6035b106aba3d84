//! One open stream.

use std::{
    future::pending,
    ops::Range,
    time::{Duration, Instant},
};

use bytes::Bytes;
use feedmill_events::{Partition, Tag};
use feedmill_service::tokens::revocations::SessionWatch;
use metrics::counter;
use serde_json::json;
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval, sleep},
};
use uuid::Uuid;

use super::{
    event::{Gone, Reset, Unread},
    event_id::{self, unix_time},
    items::{ALL_PARTITIONS, List, PartitionFilter},
    reader::{PAGE_SIZE, Reader},
    registry::Streams,
    sender::{End, EventSender},
    told::Told,
    visible::{Cause, Changes},
    watermarks::LOOKBACK_MILLIS,
};
use crate::error::Error;

const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(15);

/// After a slow read, because there is much to read or many streams read at once, a stream pauses so many times as long
/// as the read took, up to a maximum.
const READ_PAUSE_FACTOR: u32 = 2;
const MAX_READ_PAUSE: Duration = Duration::from_millis(300);

/// After a failed read.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// Random, so that the clients of a stopped instance do not all reconnect at once.
const CLIENT_RETRY_MILLIS: Range<u64> = 1_000..3_000;

/// Pages that are read in a row. More new items than these are a reset: the client reads the list again.
const MAX_PAGES: usize = 50;

struct Live {
    reader: Reader,
    sender: EventSender,
    unread: Unread,
    told: Told,
}

/// Why sending new items stopped.
enum Interruption {
    End(End),
    /// To be retried.
    Failed(Error),
}

impl From<Error> for Interruption {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<End> for Interruption {
    fn from(end: End) -> Self {
        Self::End(end)
    }
}

/// The token that a stream was opened with.
pub struct Token {
    /// In Unix seconds.
    pub expires: u64,
    /// The session that it belongs to.
    pub session: Option<SessionWatch>,
}

impl Token {
    /// Returns when the session has ended.
    async fn session_ended(&self) {
        match &self.session {
            Some(session) => session.ended().await,
            None => pending().await,
        }
    }
}

/// Opens a stream that ends when the token expires or its session ends. It sends the items that are new from now
/// on, or since `last_event_id`. An id from before the log's incarnation began (in Unix milliseconds) is like one that is too old: what its
/// client has seen may not exist any more. Errors: an id of another stream, too many streams, and failed statements.
pub async fn open(
    streams: &Streams,
    viewer: Uuid,
    token: Token,
    last_event_id: Option<&str>,
    incarnation_began: i64,
) -> Result<mpsc::Receiver<Bytes>, Error> {
    let resume = last_event_id
        .map(|id| event_id::parse(streams.cursors(), viewer, id).ok_or(Error::EventId))
        .transpose()?;
    let mut reader = Reader::new(streams.register(viewer)?);
    let version = reader.stream.tag_versions().current();
    let expired = |sent_at| {
        sent_at < incarnation_began || event_id::unix_millis() - sent_at > LOOKBACK_MILLIS
    };
    let away_too_long = resume.as_ref().is_some_and(|point| expired(point.sent_at));
    let mut stale: &[List] = if away_too_long { &List::ALL } else { &[] };
    match resume {
        Some(point) if !away_too_long => {
            reader.watermarks = point.watermarks;
            reader.read_followees().await?;
            // The checked version stays 0: everything counts as changed.
            let known = point.fingerprint;
            let from = reader.watermarks[List::Feed as usize].resume();
            let now = reader.read_visible(Some(known.newest)).await?;
            if now.fingerprint(&from, known.count.into()) != known {
                stale = &[List::Feed];
            }
        }
        _ => {
            for list in List::ALL {
                reader.skip_existing(list).await?;
            }
            reader.stream.set_checked_version(version);
        }
    }
    reader.visible = reader.read_visible(None).await?;
    let unread = reader.read_unread().await?;
    let (sender, receiver) = EventSender::new();
    let live = Live {
        reader,
        sender,
        unread,
        told: Told::default(),
    };
    tokio::spawn(live.run(token, stale));
    Ok(receiver)
}

impl Live {
    async fn run(mut self, token: Token, stale: &'static [List]) {
        let stop = self.reader.stream.stop();
        let sender = self.sender.clone();
        let token_lifetime = Duration::from_secs(token.expires).saturating_sub(unix_time());
        let end = tokio::select! {
            biased;
            () = stop.cancelled() => End::Shutdown,
            () = sender.disconnected() => End::Gone,
            () = token.session_ended() => End::SessionEnded,
            () = sleep(token_lifetime) => End::Expired,
            end = self.serve(stale) => end,
        };
        tracing::debug!(?end, "stream: ended");
        counter!("stream_ends_total", "why" => end.name()).increment(1);
    }

    async fn serve(&mut self, stale: &[List]) -> End {
        if let Err(end) = self.greet(stale).await {
            return end;
        }
        let mut heartbeat = interval(HEARTBEAT_INTERVAL);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        heartbeat.reset();
        // Something may have changed while the stream was opened.
        self.reader.stream.wake();
        loop {
            let done = tokio::select! {
                () = self.reader.stream.woken() => {
                    let started = Instant::now();
                    // Boxed, because the future is large, and a stream mostly waits.
                    let sent = Box::pin(self.send_changes()).await;
                    sleep(MAX_READ_PAUSE.min(started.elapsed() * READ_PAUSE_FACTOR)).await;
                    sent
                }
                _ = heartbeat.tick() => {
                    let id = self.reader.event_id();
                    self.sender.heartbeat(&id).await.map_err(Into::into)
                }
            };
            match done {
                Ok(()) => {}
                Err(Interruption::End(end)) => return end,
                Err(Interruption::Failed(error)) => {
                    tracing::debug!(%error, "stream: cannot read, retrying in {RETRY_INTERVAL:?}");
                    sleep(RETRY_INTERVAL).await;
                    self.reader.stream.wake();
                }
            }
        }
    }

    /// `stale` are the lists of which the client may have lost items while it was away.
    async fn greet(&mut self, stale: &[List]) -> Result<(), End> {
        self.reader.stream.lists_caught_up().await;
        let millis = rand::Rng::gen_range(&mut rand::thread_rng(), CLIENT_RETRY_MILLIS);
        self.sender.retry(millis).await?;
        if !stale.is_empty() {
            self.send_reset(stale).await?;
        }
        self.send_unread().await
    }

    /// Reads what may have changed since the last read, and sends what is new.
    async fn send_changes(&mut self) -> Result<(), Interruption> {
        let viewer = self.reader.stream.viewer;
        let tag_versions = self.reader.stream.tag_versions().clone();
        let (last, current) = (self.reader.stream.checked_version(), tag_versions.current());
        let changed = |tag: Tag| !tag_versions.unchanged_since(last, &[tag.into()]);
        let muted = changed(Tag::muted_conversations(viewer));
        let conversations = changed(Tag::conversations(viewer));
        let (access, sources) = (changed(Tag::access(viewer)), changed(Tag::feed(viewer)));
        // Another audience of a thread changes the lists of posts of all who have posts in it.
        let notifications = [Tag::notifications, Tag::mutes, Tag::posts_of];
        let notifications = access || notifications.into_iter().any(|tag| changed(tag(viewer)));
        let mut cause = access.then_some(Cause::Access);
        if sources {
            let before = self.reader.author_ids();
            self.reader.read_followees().await?;
            let lost = !before.is_subset(&self.reader.author_ids());
            cause = Some(if lost {
                Cause::LostAuthor
            } else {
                Cause::Access
            });
        }
        let mut authors = self.reader.authors.iter();
        let single = authors.any(|author| changed(Tag::changed_posts_of(author.id)));
        if let Some(cause) = cause.or(single.then_some(Cause::SinglePosts)) {
            self.send_changed_posts(cause).await?;
        }
        // The new posts of all authors of a partition are read at once, so that its watermark covers them all.
        let mut partitions = [false; ALL_PARTITIONS.len()];
        for author in &self.reader.authors {
            if author.since.is_some() || changed(Tag::posts_of(author.id)) {
                partitions[usize::from(Partition::of(author.id).number())] = true;
            }
        }
        if partitions.contains(&true) {
            self.send_new(List::Feed, &partitions).await?;
            for author in &mut self.reader.authors {
                author.since = None;
            }
        }
        if conversations {
            self.send_new(List::Conversations, &ALL_PARTITIONS).await?;
        }
        if notifications {
            self.send_new(List::Notifications, &ALL_PARTITIONS).await?;
        }
        if conversations || muted || notifications || access {
            let unread = self.reader.read_unread().await?;
            if std::mem::replace(&mut self.unread, unread) != unread {
                self.send_unread().await?;
            }
        }
        self.reader.stream.set_checked_version(current);
        Ok(())
    }

    /// Tells the client which of its posts are edited or gone.
    async fn send_changed_posts(&mut self, cause: Cause) -> Result<(), Interruption> {
        let now = self.reader.read_visible(None).await?;
        let changes = self.reader.visible.changes(&now, cause);
        let mut events = vec![];
        if let Changes::Posts { edited, lost } = &changes {
            let edited = self.reader.read_posts(edited).await?;
            events.extend(edited.into_iter().map(|post| ("edited", post)));
            if !lost.is_empty() {
                events.push(("gone", json!(Gone { posts: lost }).to_string()));
            }
        }
        let before = self.reader.event_id();
        self.reader.visible = now;
        if changes == Changes::Unknown {
            self.reader.stream.lists_caught_up().await;
            return Ok(self.send_reset(&[List::Feed]).await?);
        }
        Ok(self.send_all(&before, &events).await?)
    }

    /// Sends events of one read. A client that disconnects in the middle is where it was `before`.
    async fn send_all(&self, before: &str, events: &[(&'static str, String)]) -> Result<(), End> {
        let after = self.reader.event_id();
        for (index, (event, data)) in events.iter().enumerate() {
            let is_last = index + 1 == events.len();
            let id = if is_last { &after } else { before };
            self.sender.event(event, id, data).await?;
        }
        Ok(())
    }

    /// Sends the new items of a list.
    async fn send_new(
        &mut self,
        list: List,
        partitions: &PartitionFilter,
    ) -> Result<(), Interruption> {
        for _ in 0..MAX_PAGES {
            let mut items = self.reader.read_new(list, partitions).await?;
            let (is_last, before) = ((items.len() as i64) < PAGE_SIZE, self.reader.event_id());
            self.reader.mark_sent(list, &items);
            items.retain(|item| item.act.is_none_or(|act| self.told.insert(act)));
            let events = items.into_iter().map(|item| (list.event(), item.json));
            self.send_all(&before, &events.collect::<Vec<_>>()).await?;
            if is_last {
                return Ok(());
            }
        }
        self.reader.skip_existing(list).await?;
        self.reader.stream.lists_caught_up().await;
        Ok(self.send_reset(&[list]).await?)
    }

    async fn send_unread(&self) -> Result<(), End> {
        let data = json!(self.unread).to_string();
        let id = self.reader.event_id();
        self.sender.event("unread", &id, &data).await
    }

    /// Tells the client to read these lists again. Call [`OpenStream::lists_caught_up`](super::registry::OpenStream) before.
    async fn send_reset(&self, lists: &[List]) -> Result<(), End> {
        counter!("stream_resets_total").increment(1);
        let data = json!(Reset { lists }).to_string();
        let id = self.reader.event_id();
        self.sender.event("reset", &id, &data).await
    }
}
