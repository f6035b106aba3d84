//! Posts kept in memory, each by itself and ready to be sent: what an answer that is not kept is put together from, so
//! that PostgreSQL need only say which posts it has.
//!
//! A post is good for as long as neither it nor its author's name has changed, as an answer is ([`Changes`]).

use std::{collections::HashSet, fmt, sync::Arc};

use feedmill_events::Tag;
use feedmill_service::Database;
use metrics::{Counter, counter};
use moka::sync::Cache as Store;
use serde::{Serialize, Serializer, ser::Error as _};
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

use crate::{
    cache::TIME_TO_LIVE,
    changes::{Changes, Slot},
    error::Error,
    query,
    view::Post,
};

/// What a post takes beside its JSON, about: some allocations, and its places in the store.
const OVERHEAD: usize = 600;

/// How the JSON of a post ends that nobody in particular looks at, and that of one which the viewer likes.
const NOT_LIKED: &str = "\"liked_by_me\":false}";
const LIKED: &str = "\"liked_by_me\":true}";

/// Cheap to clone; clones share what they keep.
#[derive(Clone)]
pub struct Posts {
    /// None if nothing is to be kept.
    store: Option<Store<Uuid, Arc<Kept>>>,
    changes: Changes,
    all: Counter,
    missing: Counter,
}

/// A post as one viewer sees it, ready to be sent.
#[derive(Debug, Clone)]
pub struct Written {
    kept: Arc<Kept>,
    liked: bool,
}

#[derive(Debug)]
struct Kept {
    id: Uuid,
    author: Uuid,
    json: Box<RawValue>,
    slots: [Slot; 2],
    /// The clock of [`Changes`] before it was loaded.
    began: u64,
}

impl Posts {
    /// Keeps up to `max_bytes`, and nothing if they are 0.
    pub fn new(max_bytes: u64, changes: Changes) -> Self {
        let store = Store::<Uuid, Arc<Kept>>::builder()
            .max_capacity(max_bytes)
            .weigher(|_, kept| (OVERHEAD + kept.json.get().len()) as u32)
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

    /// These posts, for a viewer who likes those among them that are in `liked`: those that are kept and good, and the
    /// others from `database`, in one statement. None if one of them is gone by now.
    pub async fn listed(
        &self,
        database: &Database,
        viewer: Uuid,
        ids: &[Uuid],
        liked: &[Uuid],
    ) -> Result<Option<Vec<Written>>, Error> {
        let liked: HashSet<Uuid> = liked.iter().copied().collect();
        let mut written: Vec<Option<Written>> = ids
            .iter()
            .map(|id| self.kept(*id, liked.contains(id)))
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

    fn kept(&self, id: Uuid, liked: bool) -> Option<Written> {
        let kept = self.store.as_ref()?.get(&id)?;
        self.is_good(&kept).then_some(Written { kept, liked })
    }

    /// Writes posts that were loaded when the clock of [`Changes`] was `began`, or later, and keeps them.
    pub fn write(&self, began: u64, posts: Vec<Post>) -> serde_json::Result<Vec<Written>> {
        let written = posts.into_iter().map(|mut post| {
            let liked = std::mem::take(&mut post.liked_by_me);
            let tags = [Tag::post(post.id), Tag::card(post.author.id)];
            let kept = Arc::new(Kept {
                id: post.id,
                author: post.author.id,
                json: to_raw_value(&post)?,
                slots: tags.map(Changes::slot),
                began,
            });
            if let Some(store) = &self.store
                && self.is_good(&kept)
            {
                store.insert(post.id, Arc::clone(&kept));
            }
            Ok(Written { kept, liked })
        });
        written.collect()
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

impl Written {
    pub fn id(&self) -> Uuid {
        self.kept.id
    }

    pub fn author(&self) -> Uuid {
        self.kept.author
    }
}

impl Serialize for Written {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let json = &self.kept.json;
        if !self.liked {
            return json.serialize(serializer);
        }
        let rest = json.get().strip_suffix(NOT_LIKED);
        let rest = rest.ok_or_else(|| S::Error::custom("a post does not end as it should"))?;
        let liked = RawValue::from_string([rest, LIKED].concat());
        liked.map_err(S::Error::custom)?.serialize(serializer)
    }
}
