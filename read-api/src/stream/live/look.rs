//! Reading what is new for a stream, and sending it.

use std::{collections::HashMap, time::Duration};

use feedmill_events::{PARTITIONS, Partition, Tag, id};
use metrics::counter;
use tokio::time::sleep;
use uuid::Uuid;

use super::{Cut, Live, now};
use crate::{
    changes::Changes,
    error::Error,
    query,
    stream::{
        event,
        items::{self, Author, Item, List},
        marks::{Marks, OVERLAP, REACH},
    },
};

/// Items in one read of a list, and reads in a row. What is more than these is left to the list.
const PAGE: i64 = 20;
const PAGES: usize = 50;

/// An item that is not whole yet is waited for, so many times for so long.
const WHOLE_TRIES: usize = 20;
const WHOLE_PAUSE: Duration = Duration::from_millis(50);

const ALL: [bool; PARTITIONS as usize] = [true; PARTITIONS as usize];

impl Live {
    /// Reads what may have changed since the last look, and sends what is new.
    pub(super) async fn look(&mut self) -> Result<(), Cut> {
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
        let (database, viewer) = (&self.state.database, self.viewer);
        let marks = (&self.marks[list as usize], now());
        match list {
            List::Feed => {
                items::posts(database, viewer, &self.authors, partitions, marks, PAGE).await
            }
            List::Conversations => items::messages(database, viewer, marks, PAGE).await,
            List::Notifications => items::notifications(database, viewer, marks, PAGE).await,
        }
    }

    /// From now on: what there is now is not new.
    pub(super) async fn begin(&mut self, list: List) -> Result<(), Error> {
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
                let messages = query::stream::messages(&self.state.database, self.viewer, reach);
                for (conversation, message) in messages.await? {
                    marks.note(Partition::of(conversation), message);
                }
            }
            List::Notifications => {
                let _turn = self.seat.streams.0.reads.acquire().await;
                let recent = id::first_of(now - OVERLAP);
                let (database, viewer) = (&self.state.database, self.viewer);
                let notifications = query::stream::notifications(database, viewer, reach, recent);
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
    pub(super) async fn follow(&mut self) -> Result<Vec<(Uuid, Vec<Uuid>)>, Error> {
        let reach = id::first_of(now() - REACH);
        let followed = {
            let _turn = self.seat.streams.0.reads.acquire().await;
            query::stream::feed(&self.state.database, self.viewer, reach).await?
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

    pub(super) async fn read_unread(&self) -> Result<(i64, i64), Error> {
        let _turn = self.seat.streams.0.reads.acquire().await;
        Ok(query::stream::unread(&self.state.database, self.viewer).await?)
    }
}
