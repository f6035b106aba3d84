//! Posts kept in memory, each by itself and ready to be sent: what an answer that is not kept is put together from, so
//! that PostgreSQL need only say which posts it has.
//!
//! A post is good for as long as neither it nor its author's name has changed, as an answer is ([`Changes`]).

use std::{collections::HashSet, sync::Arc, time::Instant};

use feedmill_events::Tag;
use feedmill_service::Database;
use metrics::{Counter, counter};
use serde::{Serialize, Serializer, ser::Error as _};
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

use crate::{
    changes::{Changes, Slot},
    error::Error,
    kept::{Keep, Kept, Store},
    query,
    view::Post,
};

/// What a post takes beside its JSON, about: two allocations, and its place in the store.
const OVERHEAD: usize = 300;
/// And with it.
const USUAL: u64 = 1 << 10;

/// How the JSON of a post ends that nobody in particular looks at, and that of one which the viewer likes.
const NOT_LIKED: &str = "\"liked_by_me\":false}";
const LIKED: &str = "\"liked_by_me\":true}";

/// Cheap to clone; clones share what they keep.
#[derive(Debug, Clone)]
pub struct Posts {
    /// None if nothing is to be kept.
    store: Option<Arc<Store<Uuid, Ready>>>,
    changes: Changes,
    all: Counter,
    missing: Counter,
}

/// A post as one viewer sees it, ready to be sent.
#[derive(Debug, Clone)]
pub struct Written {
    kept: Arc<Kept<Ready>>,
    liked: bool,
}

#[derive(Debug)]
struct Ready {
    id: Uuid,
    author: Uuid,
    json: Box<RawValue>,
    slots: [Slot; 2],
}

impl Keep for Ready {
    fn slots(&self) -> &[Slot] {
        &self.slots
    }
}

impl Posts {
    /// Keeps up to `max_bytes`, and nothing if they are 0.
    pub fn new(max_bytes: u64, changes: Changes) -> Self {
        let store = || Store::new(max_bytes, USUAL, Counter::noop(), changes.clone());
        // Handles of before the recorder would stay without effect.
        feedmill_service::telemetry::metrics();
        Self {
            store: (max_bytes > 0).then(store).map(Arc::new),
            changes,
            all: counter!("cache_posts_total", "result" => "all"),
            missing: counter!("cache_posts_total", "result" => "missing"),
        }
    }

    /// Whether there is any use in asking.
    pub fn are_kept(&self) -> bool {
        self.store.is_some() && self.changes.hearing()
    }

    /// These posts, for a viewer who likes those among them that are in `liked`: those that are kept and good, and the
    /// others from `database`, in one statement. None if one of them is gone by now.
    pub async fn listed(
        &self,
        database: &Database,
        viewer: Uuid,
        ids: &[Uuid],
        liked: &[Uuid],
    ) -> Result<Option<Vec<Written>>, Error> {
        let now = Instant::now();
        let liked: HashSet<Uuid> = liked.iter().copied().collect();
        let mut written: Vec<Option<Written>> = ids
            .iter()
            .map(|id| self.kept(*id, now, liked.contains(id)))
            .collect();
        let missing = ids.iter().zip(&written).filter(|(_, one)| one.is_none());
        let missing: Vec<Uuid> = missing.map(|(id, _)| *id).collect();
        if missing.is_empty() {
            self.all.increment(1);
        } else {
            self.missing.increment(1);
            let began = self.changes.now();
            let posts = query::post::these(database, viewer, &missing).await?;
            let mut loaded = self.write(began, posts)?.into_iter().peekable();
            // They come in the order in which they were asked for.
            for (id, place) in ids.iter().zip(&mut written) {
                if place.is_none() {
                    *place = loaded.next_if(|one| one.id() == *id);
                }
            }
        }
        Ok(written.into_iter().collect())
    }

    fn kept(&self, id: Uuid, now: Instant, liked: bool) -> Option<Written> {
        let kept = self.store.as_ref()?.find_good(&id, now)?;
        Some(Written { kept, liked })
    }

    /// Writes posts that were loaded when the clock of [`Changes`] was `began`, or later, and keeps them.
    pub fn write(&self, began: u64, posts: Vec<Post>) -> serde_json::Result<Vec<Written>> {
        let started = Instant::now();
        let written = posts.into_iter().map(|mut post| {
            let liked = std::mem::take(&mut post.liked_by_me);
            let tags = [Tag::post(post.id), Tag::account_summary(post.author.id)];
            let ready = Ready {
                id: post.id,
                author: post.author.id,
                json: to_raw_value(&post)?,
                slots: tags.map(Changes::slot),
            };
            let bytes = OVERHEAD + ready.json.get().len();
            let kept = Arc::new(Kept::new(ready, began, started));
            if let Some(store) = &self.store {
                store.keep(post.id, &kept, bytes);
            }
            Ok(Written { kept, liked })
        });
        written.collect()
    }
}

impl Written {
    pub fn id(&self) -> Uuid {
        self.kept.value.id
    }

    pub fn author(&self) -> Uuid {
        self.kept.value.author
    }
}

impl Serialize for Written {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let json = &self.kept.value.json;
        if !self.liked {
            return json.serialize(serializer);
        }
        let rest = json.get().strip_suffix(NOT_LIKED);
        let rest = rest.ok_or_else(|| S::Error::custom("a post does not end as it should"))?;
        let liked = RawValue::from_string([rest, LIKED].concat());
        liked.map_err(S::Error::custom)?.serialize(serializer)
    }
}
