//! The cache of what the pages of a viewer's feed have in common: the followed accounts, a list that is as long as a page and rarely
//! changes, and the unread count, which takes longer to compute than a page and changes less often.

use std::{sync::Arc, time::Instant};

use feedmill_events::Tag;
use feedmill_service::bounded_cache::MOKA_ENTRY_BYTES;
use uuid::Uuid;

use super::{
    metrics::{self, Lookups},
    store::{CacheEntry, Store},
};
use crate::{
    freshness::tag_versions::{Slot, TagVersions},
    sql::feed::Reading,
};

/// The memory of an entry besides its tags or slots: its allocations and its entry in moka.
const OVERHEAD: usize = 190 + MOKA_ENTRY_BYTES;

/// Twice the size of most entries.
const BYTES_PER_BUCKET: u64 = 2_000;

/// The labels of the metrics of its two parts.
const FOLLOWEES: &str = "followees";
const READINGS: &str = "unread";

/// Per viewer, the [`Tag::posts_of`] of every account whose posts come to the viewer's feed.
pub type FolloweeTags = Arc<[Tag]>;

/// Cheap to clone; clones share the entries.
#[derive(Debug, Clone)]
pub struct FeedCache {
    followees: Arc<Store<Uuid, FolloweeTags>>,
    readings: Arc<Store<Uuid, Reading>>,
    followee_lookups: Arc<Lookups>,
    reading_lookups: Arc<Lookups>,
}

impl FeedCache {
    /// A cache of up to `max_bytes`, which caches nothing if that is 0.
    pub fn new(max_bytes: u64, tag_versions: &TagVersions) -> Self {
        let (bytes, tag_versions) = (max_bytes / 2, || tag_versions.clone());
        let evictions = |cache| Some(metrics::evictions(cache));
        let followees = Store::new(
            bytes,
            BYTES_PER_BUCKET,
            weigh_tags,
            evictions(FOLLOWEES),
            tag_versions(),
        );
        let readings = Store::new(
            bytes,
            BYTES_PER_BUCKET,
            weigh_reading,
            evictions(READINGS),
            tag_versions(),
        );
        Self {
            followees: Arc::new(followees),
            readings: Arc::new(readings),
            followee_lookups: Arc::new(Lookups::of(FOLLOWEES)),
            reading_lookups: Arc::new(Lookups::of(READINGS)),
        }
    }

    /// The tags of the viewer's followees.
    pub fn followees(&self, viewer: Uuid) -> Option<FolloweeTags> {
        let entry = self.followees.get_fresh(&viewer, Instant::now());
        let entry = self.followee_lookups.recorded(entry)?;
        Some(Arc::clone(&entry.value))
    }

    /// Caches a viewer's followees, whose load began at `version` or later, and returns their tags.
    pub fn insert_followees(&self, viewer: Uuid, version: u64, followees: &[Uuid]) -> FolloweeTags {
        let tags: FolloweeTags = followees.iter().copied().map(Tag::posts_of).collect();
        let slots = [Tag::feed(viewer).into()];
        let entry = CacheEntry::new(Arc::clone(&tags), slots, version, Instant::now());
        self.followees.insert(viewer, &entry);
        tags
    }

    /// How far the viewer has read the feed. It is as new as the last announcement of one of its [`tags`](Self::tags). A page that is
    /// read now can be newer, and show a post that this does not count yet.
    pub fn reading(&self, viewer: Uuid) -> Option<Reading> {
        let entry = self.readings.get_fresh(&viewer, Instant::now());
        Some(self.reading_lookups.recorded(entry)?.value)
    }

    /// Caches how far the viewer has read the feed, whose load began at `version` or later.
    pub fn insert_reading(
        &self,
        viewer: Uuid,
        version: u64,
        reading: Reading,
        followees: &FolloweeTags,
    ) {
        let slots: Box<[Slot]> = Self::tags(viewer, followees).map(Slot::from).collect();
        let entry = CacheEntry::new(reading, slots, version, Instant::now());
        self.readings.insert(viewer, &entry);
    }

    pub(super) fn followees_store(&self) -> &Store<Uuid, FolloweeTags> {
        &self.followees
    }

    pub(super) fn readings_store(&self) -> &Store<Uuid, Reading> {
        &self.readings
    }

    /// What the ids of a feed's posts, and how many are unread, depend on: the accounts that the feed is made of, their posts and
    /// audiences, what the viewer may see, and the mark.
    pub fn tags(viewer: Uuid, followees: &FolloweeTags) -> impl Iterator<Item = Tag> {
        let own = [Tag::feed, Tag::posts_of, Tag::feed_mark, Tag::access];
        let own = own.map(|tag| tag(viewer));
        own.into_iter().chain(followees.iter().copied())
    }
}

fn weigh_tags(_: &Uuid, entry: &CacheEntry<FolloweeTags>) -> usize {
    OVERHEAD + size_of_val(&*entry.value)
}

fn weigh_reading(_: &Uuid, entry: &CacheEntry<Reading>) -> usize {
    OVERHEAD + entry.slots_size()
}
