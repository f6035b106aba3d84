//! Posts kept in memory, each by itself: what an answer that is not kept is put together from, so that PostgreSQL
//! need only say which posts it has.
//!
//! A post is good for as long as neither it nor its author's name has changed, as an answer is
//! ([`Changes`]).

use std::{fmt, sync::Arc};

use feedmill_events::Tag;
use metrics::{Counter, counter};
use moka::sync::Cache as Store;
use uuid::Uuid;

use crate::{
    cache::TIME_TO_LIVE,
    changes::{Changes, Slot},
    view::Post,
};

/// What a post takes beside its text: itself, its author's names, and its places in the store.
const OVERHEAD: usize = 900;

/// Cheap to clone; clones share what they keep.
#[derive(Clone)]
pub struct Posts {
    /// None if nothing is to be kept.
    store: Option<Store<Uuid, Arc<Kept>>>,
    changes: Changes,
    all: Counter,
    missing: Counter,
}

struct Kept {
    /// Of nobody in particular: whether the viewer likes it is not known.
    post: Post,
    slots: [Slot; 2],
    /// The clock of [`Changes`] before it was loaded.
    began: u64,
}

impl Posts {
    /// Keeps up to `max_bytes`, and nothing if they are 0.
    pub fn new(max_bytes: u64, changes: Changes) -> Self {
        let store = Store::<Uuid, Arc<Kept>>::builder()
            .max_capacity(max_bytes)
            .weigher(|_, kept| (OVERHEAD + kept.post.text.len()) as u32)
            .time_to_live(TIME_TO_LIVE);
        // Handles of before the recorder would stay without effect.
        feedmill_service::telemetry::metrics();
        Self {
            store: (max_bytes > 0).then(|| store.build()),
            changes,
            all: counter!("cache_posts_total", "result" => "all"),
            missing: counter!("cache_posts_total", "result" => "missing"),
        }
    }

    /// Whether there is any use in asking.
    pub fn are_kept(&self) -> bool {
        self.store.is_some() && self.changes.hearing()
    }

    /// These posts, each with whether the viewer likes it. None unless all of them are kept and good.
    pub fn all(&self, ids: &[Uuid], liked: &[bool]) -> Option<Vec<Post>> {
        let store = self.store.as_ref()?;
        let post = |(id, liked): (&Uuid, &bool)| {
            let kept = store.get(id).filter(|kept| self.is_good(kept))?;
            Some(Post {
                liked_by_me: *liked,
                ..kept.post.clone()
            })
        };
        let all: Option<Vec<_>> = ids.iter().zip(liked).map(post).collect();
        let count = if all.is_some() {
            &self.all
        } else {
            &self.missing
        };
        count.increment(1);
        all
    }

    /// Keeps posts that were loaded when the clock of [`Changes`] was `began`, or later.
    pub fn keep(&self, began: u64, posts: &[Post]) {
        let Some(store) = &self.store else { return };
        for post in posts {
            let tags = [Tag::post(post.id), Tag::card(post.author.id)];
            let kept = Kept {
                post: post.clone(),
                slots: tags.map(Changes::slot),
                began,
            };
            if self.is_good(&kept) {
                store.insert(post.id, Arc::new(kept));
            }
        }
    }

    fn is_good(&self, kept: &Kept) -> bool {
        self.changes.unchanged_since(kept.began, &kept.slots)
    }
}

impl fmt::Debug for Posts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Posts")
    }
}
