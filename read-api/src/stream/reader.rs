//! Reading the new items of a stream.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use feedmill_events::{Partition, Tag, id};
use tokio::time::sleep;
use uuid::Uuid;

use super::{
    event::{Unread, UnreadMessages, UnreadNotifications},
    event_id::{self, unix_millis},
    items::{self, Author, Item, LISTS, List, PartitionFilter},
    registry::OpenStream,
    visible::{MAX_TRACKED, VisiblePost, VisiblePosts},
    watermarks::{CLOCK_SKEW_MILLIS, LOOKBACK_MILLIS, Watermarks},
};
use crate::{error::Error, sql};

/// Items in one read of a list.
pub const PAGE_SIZE: i64 = 20;

/// How often, and how many times, items are read again that are not complete yet.
const INCOMPLETE_POLL_INTERVAL: Duration = Duration::from_millis(50);
const MAX_INCOMPLETE_READS: usize = 20;

/// The state of a stream: what it follows and what its client has.
pub struct Reader {
    pub stream: OpenStream,
    /// The viewer and the accounts that the viewer follows.
    pub authors: Vec<Author>,
    /// By [`List`].
    pub watermarks: [Watermarks; LISTS],
    pub visible: VisiblePosts,
}

impl Reader {
    pub fn new(stream: OpenStream) -> Self {
        let now = unix_millis();
        Self {
            stream,
            authors: Vec::new(),
            watermarks: std::array::from_fn(|_| Watermarks::new(now)),
            visible: VisiblePosts::default(),
        }
    }

    pub fn author_ids(&self) -> BTreeSet<Uuid> {
        self.authors.iter().map(|author| author.id).collect()
    }

    /// The newest posts of the feed up to an id, or up to the newest one.
    pub async fn read_visible(&self, up_to: Option<Uuid>) -> Result<VisiblePosts, Error> {
        let before = up_to.map_or(Uuid::max(), |id| {
            Uuid::from_u128(id.as_u128().saturating_add(1))
        });
        let (database, _permit) = self.stream.database().await;
        let (viewer, limit) = (self.stream.viewer, MAX_TRACKED as i64);
        let (posts, from) = sql::stream::visible(database, viewer, before, limit).await?;
        let posts = posts.into_iter();
        let posts = posts.map(|(id, edited_at)| VisiblePost::new(id, edited_at));
        Ok(VisiblePosts::new(posts.collect(), from))
    }

    /// These posts as JSON, without those that the viewer does not see.
    pub async fn read_posts(&self, ids: &[Uuid]) -> Result<Vec<String>, Error> {
        if ids.is_empty() {
            return Ok(vec![]);
        }
        let (database, _permit) = self.stream.database().await;
        let posts = sql::stream::posts(database, self.stream.viewer, ids).await?;
        let json = posts.iter().map(serde_json::to_string);
        Ok(json.collect::<Result<_, _>>()?)
    }

    /// The id of an event that is sent now.
    pub fn event_id(&self) -> String {
        let cursors = self.stream.cursors();
        let known = self.watermarks[List::Feed as usize].resume();
        let fingerprint = self.visible.fingerprint(&known, MAX_TRACKED);
        event_id::sign(
            cursors,
            self.stream.viewer,
            unix_millis(),
            &self.watermarks,
            fingerprint,
        )
    }

    /// The next page of new items. Items that are not complete yet are waited for, up to a second.
    pub async fn read_new(
        &self,
        list: List,
        partitions: &PartitionFilter,
    ) -> Result<Vec<Item>, Error> {
        let mut reads = 0;
        loop {
            let items = self.read(list, partitions).await?;
            reads += 1;
            if reads == MAX_INCOMPLETE_READS || items.iter().all(|item| item.complete) {
                return Ok(items);
            }
            sleep(INCOMPLETE_POLL_INTERVAL).await;
        }
    }

    async fn read(&self, list: List, partitions: &PartitionFilter) -> Result<Vec<Item>, Error> {
        let (database, _permit) = self.stream.database().await;
        let viewer = self.stream.viewer;
        let since = self.watermarks[list as usize].since(unix_millis());
        match list {
            List::Feed => {
                items::posts(
                    database,
                    viewer,
                    &self.authors,
                    partitions,
                    &since,
                    PAGE_SIZE,
                )
                .await
            }
            List::Conversations => items::messages(database, viewer, &since, PAGE_SIZE).await,
            List::Notifications => items::notifications(database, viewer, &since, PAGE_SIZE).await,
        }
    }

    pub fn mark_sent(&mut self, list: List, items: &[Item]) {
        let watermarks = &mut self.watermarks[list as usize];
        for item in items {
            watermarks.mark_sent(item.partition, item.id);
            if list == List::Feed {
                let post = VisiblePost::new(item.id, item.edited_at);
                self.visible.insert(post);
            }
        }
        watermarks.forget_old(unix_millis());
    }

    /// Moves the watermarks of a list to now: no existing item is new.
    pub async fn skip_existing(&mut self, list: List) -> Result<(), Error> {
        let now = unix_millis();
        let oldest = id::first_of(now - LOOKBACK_MILLIS);
        let viewer = self.stream.viewer;
        let mut watermarks = Watermarks::new(now);
        match list {
            List::Feed => {
                self.authors.clear();
                for (author, posts) in self.read_followees().await? {
                    for post in posts {
                        watermarks.mark_sent(Partition::of(author), post);
                    }
                }
            }
            List::Conversations => {
                let (database, _permit) = self.stream.database().await;
                let messages = sql::stream::latest_messages(database, viewer, oldest).await?;
                for (conversation, message) in messages {
                    watermarks.mark_sent(Partition::of(conversation), message);
                }
            }
            List::Notifications => {
                let (database, _permit) = self.stream.database().await;
                let recent = id::first_of(now - CLOCK_SKEW_MILLIS);
                let notifications =
                    sql::stream::latest_notifications(database, viewer, oldest, recent).await?;
                for (origin, notification) in notifications {
                    watermarks.mark_sent(Partition::of(origin), notification);
                }
            }
        }
        watermarks.forget_old(now);
        self.watermarks[list as usize] = watermarks;
        Ok(())
    }

    /// Reads the followed accounts, and returns their latest posts. The posts of an account that was not followed before
    /// are new in the viewer's feed.
    pub async fn read_followees(&mut self) -> Result<Vec<(Uuid, Vec<Uuid>)>, Error> {
        let oldest = id::first_of(unix_millis() - LOOKBACK_MILLIS);
        let viewer = self.stream.viewer;
        let followees = {
            let (database, _permit) = self.stream.database().await;
            sql::stream::followees(database, viewer, oldest).await?
        };
        let known: HashMap<_, _> = self
            .authors
            .iter()
            .map(|author| (author.id, author.since))
            .collect();
        // The first read has no new accounts.
        let since_of_new = (!known.is_empty()).then_some(oldest);
        let author = |id| Author {
            id,
            since: known.get(&id).copied().unwrap_or(since_of_new),
        };
        self.authors = followees.iter().map(|(id, _)| author(*id)).collect();
        let own = [
            Tag::feed,
            Tag::conversations,
            Tag::muted_conversations,
            Tag::notifications,
            Tag::mutes,
            Tag::access,
        ];
        let own = own.map(|tag| tag(viewer));
        let posts = self.authors.iter().map(|author| Tag::posts_of(author.id));
        self.stream.set_tags(own.into_iter().chain(posts));
        Ok(followees)
    }

    /// How many messages are unread in the conversations that are not muted, and how many notifications.
    pub async fn read_unread(&self) -> Result<Unread, Error> {
        let (database, _permit) = self.stream.database().await;
        let (unread_total, unread_count) =
            sql::stream::unread(database, self.stream.viewer).await?;
        Ok(Unread {
            conversations: UnreadMessages { unread_total },
            notifications: UnreadNotifications { unread_count },
        })
    }
}
