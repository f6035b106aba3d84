//! Whom viewers follow, kept in memory: a feed depends on the posts of all of them, which is as long a list as its posts
//! and hardly ever changes.
//!
//! A list is good for as long as its viewer follows nobody else ([`Changes`]).

use std::{sync::Arc, time::Instant};

use feedmill_events::Tag;
use metrics::Counter;
use uuid::Uuid;

use crate::{
    changes::{Changes, Slot},
    kept::{Keep, Kept, Store},
};

/// What a list takes beside its tags, about: two allocations, and its place in the store.
const OVERHEAD: usize = 250;
/// And with them.
const USUAL: u64 = 1 << 10;

/// Cheap to clone; clones share what they keep.
#[derive(Debug, Clone)]
pub struct Followed {
    store: Arc<Store<Uuid, List>>,
}

#[derive(Debug)]
struct List {
    posts: Arc<[Tag]>,
    slots: [Slot; 1],
}

impl Followed {
    /// Keeps up to `max_bytes`.
    pub fn new(max_bytes: u64, changes: Changes) -> Self {
        Self {
            store: Arc::new(Store::new(max_bytes, USUAL, Counter::noop(), changes)),
        }
    }

    /// The tags of the posts of everybody whom the viewer follows, if that is known.
    pub fn kept(&self, viewer: Uuid) -> Option<Arc<[Tag]>> {
        let kept = self.store.find_good(&viewer, Instant::now())?;
        Some(Arc::clone(&kept.value.posts))
    }

    /// Keeps whom the viewer follows, loaded when the clock of [`Changes`] was `began`, or later; gives their tags.
    pub fn keep(&self, viewer: Uuid, began: u64, followed: &[Uuid]) -> Arc<[Tag]> {
        let posts: Arc<[Tag]> = followed.iter().copied().map(Tag::posts_of).collect();
        let bytes = OVERHEAD + size_of_val(&*posts);
        let list = List {
            posts: Arc::clone(&posts),
            slots: [Changes::slot(Tag::feed(viewer))],
        };
        let kept = Arc::new(Kept::new(list, began, Instant::now()));
        self.store.keep(viewer, &kept, bytes);
        posts
    }
}

impl Keep for List {
    fn slots(&self) -> &[Slot] {
        &self.slots
    }
}
