//! Whom viewers follow, kept in memory: a feed depends on the posts of all of them, which is as long a list as its posts
//! and hardly ever changes.
//!
//! A list is good for as long as its viewer follows nobody else ([`Changes`]).

use std::{fmt, sync::Arc};

use feedmill_events::Tag;
use moka::sync::Cache as Store;
use uuid::Uuid;

use crate::{cache::TIME_TO_LIVE, changes::Changes};

/// What a list takes beside its tags, about: two allocations, and its places in the store.
const OVERHEAD: usize = 400;

/// Cheap to clone; clones share what they keep.
#[derive(Clone)]
pub struct Followed {
    store: Store<Uuid, Kept>,
    changes: Changes,
}

#[derive(Debug, Clone)]
struct Kept {
    posts: Arc<[Tag]>,
    /// The clock of [`Changes`] before it was loaded.
    began: u64,
}

impl Followed {
    /// Keeps up to `max_bytes`.
    pub fn new(max_bytes: u64, changes: Changes) -> Self {
        let store = Store::<Uuid, Kept>::builder()
            .max_capacity(max_bytes)
            .weigher(|_, kept| (OVERHEAD + size_of_val(&*kept.posts)) as u32)
            .time_to_live(TIME_TO_LIVE);
        Self {
            store: store.build(),
            changes,
        }
    }

    /// The tags of the posts of everybody whom the viewer follows, if that is known.
    pub fn kept(&self, viewer: Uuid) -> Option<Arc<[Tag]>> {
        let kept = self.store.get(&viewer)?;
        let slots = [Changes::slot(Tag::feed(viewer))];
        let good = self.changes.unchanged_since(kept.began, &slots);
        good.then_some(kept.posts)
    }

    /// Keeps whom the viewer follows, loaded when the clock of [`Changes`] was `began`, or later; gives their tags.
    pub fn keep(&self, viewer: Uuid, began: u64, followed: &[Uuid]) -> Arc<[Tag]> {
        let posts: Arc<[Tag]> = followed.iter().copied().map(Tag::posts_of).collect();
        let kept = Kept {
            posts: Arc::clone(&posts),
            began,
        };
        self.store.insert(viewer, kept);
        posts
    }
}

impl fmt::Debug for Followed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Followed")
    }
}
