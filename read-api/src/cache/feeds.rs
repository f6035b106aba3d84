//! The cache of followed accounts. A feed depends on the posts of every followed account, a list that is as long as the
//! page and rarely changes.

use std::{sync::Arc, time::Instant};

use feedmill_events::Tag;
use feedmill_service::bounded_cache::MOKA_ENTRY_BYTES;
use uuid::Uuid;

use super::store::{CacheEntry, Store};
use crate::freshness::tag_versions::TagVersions;

/// The memory of a list besides its tags: its allocations and its entry in moka.
const OVERHEAD: usize = 190 + MOKA_ENTRY_BYTES;

/// Twice the size of most lists.
const BYTES_PER_BUCKET: u64 = 2_000;

/// Per viewer, the [`Tag::posts_of`] of every account whose posts come to the viewer's feed.
type FolloweeTags = Arc<[Tag]>;

/// Cheap to clone; clones share the lists.
#[derive(Debug, Clone)]
pub struct FolloweeCache(Arc<Store<Uuid, FolloweeTags>>);

impl FolloweeCache {
    /// A cache of up to `max_bytes`, which caches nothing if that is 0.
    pub fn new(max_bytes: u64, tag_versions: TagVersions) -> Self {
        Self(Arc::new(Store::new(
            max_bytes,
            BYTES_PER_BUCKET,
            weigh,
            None,
            tag_versions,
        )))
    }

    /// The tags of the viewer's followees.
    pub fn get(&self, viewer: Uuid) -> Option<FolloweeTags> {
        let entry = self.0.get_fresh(&viewer, Instant::now())?;
        Some(Arc::clone(&entry.value))
    }

    /// Caches a viewer's followees, whose load began at `version` or later, and returns their tags.
    pub fn insert(&self, viewer: Uuid, version: u64, followees: &[Uuid]) -> FolloweeTags {
        let tags: FolloweeTags = followees.iter().copied().map(Tag::posts_of).collect();
        let slots = [Tag::feed(viewer).into()];
        let entry = CacheEntry::new(Arc::clone(&tags), slots, version, Instant::now());
        self.0.insert(viewer, &entry);
        tags
    }
}

fn weigh(_: &Uuid, entry: &CacheEntry<FolloweeTags>) -> usize {
    OVERHEAD + size_of_val(&*entry.value)
}
