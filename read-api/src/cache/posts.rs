//! The cache of post fragments: the JSON of single posts, which the pages of a feed and the top posts of a digest are
//! assembled from. PostgreSQL then has to return only ids.
//!
//! The lookups of a page are most of what the cache costs, so they must be cheap: see
//! [`bounded_cache`](feedmill_service::bounded_cache).

use std::{collections::HashSet, sync::Arc, time::Instant};

use feedmill_events::Tag;
use feedmill_service::{Database, bounded_cache::MOKA_ENTRY_BYTES};
use metrics::{Counter, counter};
use serde::{Serialize, Serializer, ser::Error as _};
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

use super::store::{CacheEntry, Store};
use crate::{error::Error, freshness::tag_versions::TagVersions, sql, views::Post};

/// The memory of a fragment besides its JSON: its allocations and its entry in moka.
const OVERHEAD: usize = 240 + MOKA_ENTRY_BYTES;

/// Twice the size of most fragments.
const BYTES_PER_BUCKET: u64 = 2_000;

/// The end of a fragment's JSON, and what replaces it for a viewer who likes the post.
const NOT_LIKED: &str = "\"liked_by_me\":false}";
const LIKED: &str = "\"liked_by_me\":true}";

/// What replaces it in a feed.
const NOT_LIKED_UNREAD: &str = "\"liked_by_me\":false,\"read\":false}";
const NOT_LIKED_READ: &str = "\"liked_by_me\":false,\"read\":true}";
const LIKED_UNREAD: &str = "\"liked_by_me\":true,\"read\":false}";
const LIKED_READ: &str = "\"liked_by_me\":true,\"read\":true}";

/// Cheap to clone; clones share the fragments.
#[derive(Debug, Clone)]
pub struct PostCache {
    fragments: Arc<Store<Uuid, PostFragment>>,
    tag_versions: TagVersions,
    complete: Counter,
    incomplete: Counter,
}

/// The JSON of a post for a viewer who does not like it. Depends on the post and on its author's name.
#[derive(Debug)]
struct PostFragment {
    id: Uuid,
    author: Uuid,
    json: Box<RawValue>,
}

/// A fragment as one viewer sees it.
#[derive(Debug, Clone)]
pub struct RenderedPost {
    fragment: Arc<CacheEntry<PostFragment>>,
    liked: bool,
}

/// The same in the viewer's feed, as [`FeedPost`](crate::views::FeedPost).
#[derive(Debug, Clone)]
pub struct RenderedFeedPost {
    pub post: RenderedPost,
    pub read: bool,
}

impl PostCache {
    /// A cache of up to `max_bytes`, which caches nothing if that is 0.
    pub fn new(max_bytes: u64, tag_versions: TagVersions) -> Self {
        // Handles that are made before the recorder have no effect.
        feedmill_service::telemetry::metrics();
        Self {
            fragments: Arc::new(Store::new(
                max_bytes,
                BYTES_PER_BUCKET,
                weigh,
                None,
                tag_versions.clone(),
            )),
            tag_versions,
            complete: counter!("cache_posts_total", "result" => "all"),
            incomplete: counter!("cache_posts_total", "result" => "missing"),
        }
    }

    /// Whether fragments can be cached now.
    pub fn is_usable(&self) -> bool {
        self.fragments.is_enabled() && self.tag_versions.is_subscribed()
    }

    /// The posts `ids`, in this order, for a viewer who likes those that are in `likes`.
    ///
    /// One statement if fragments are missing or posts are `limited`, none otherwise. None if one of the posts does not exist any
    /// more, or the viewer does not see it any more.
    ///
    /// There are no fragments of posts that are or were limited: the statement that finds that the viewer sees the post must also
    /// read its text. Otherwise the text could be from another time than the permission.
    pub async fn by_ids(
        &self,
        database: &Database,
        viewer: Uuid,
        ids: &[Uuid],
        limited: &[Uuid],
        likes: &[Uuid],
    ) -> Result<Option<Vec<RenderedPost>>, Error> {
        let now = Instant::now();
        let likes: HashSet<Uuid> = likes.iter().copied().collect();
        let cached = |id: &Uuid| {
            if limited.contains(id) {
                return None;
            }
            let fragment = self.fragments.get_fresh(id, now)?;
            let liked = likes.contains(id);
            Some(RenderedPost { fragment, liked })
        };
        let mut posts: Vec<Option<RenderedPost>> = ids.iter().map(cached).collect();
        let missing: Vec<Uuid> = ids
            .iter()
            .zip(&posts)
            .filter_map(|(id, post)| post.is_none().then_some(*id))
            .collect();
        if missing.is_empty() {
            self.complete.increment(1);
        } else {
            self.incomplete.increment(1);
            let version = self.tag_versions.current();
            let loaded = sql::posts::by_ids(database, viewer, &missing).await?;
            let mut loaded = self.insert(version, loaded)?.into_iter().peekable();
            // In the order of `missing`, but perhaps with gaps.
            for (id, post) in ids.iter().zip(&mut posts) {
                if post.is_none() {
                    *post = loaded.next_if(|loaded| loaded.id() == *id);
                }
            }
        }
        Ok(posts.into_iter().collect())
    }

    /// Renders posts, whose load began at `version` or later, and caches the fragments of those that were always public.
    pub fn insert(&self, version: u64, posts: Vec<Post>) -> serde_json::Result<Vec<RenderedPost>> {
        let loaded_at = Instant::now();
        let rendered = posts.into_iter().map(|mut post| {
            let limited = post.limited;
            let liked = std::mem::take(&mut post.liked_by_me);
            let tags = [Tag::post(post.id), Tag::account_summary(post.author.id)];
            let fragment = PostFragment {
                id: post.id,
                author: post.author.id,
                json: to_raw_value(&post)?,
            };
            let fragment = CacheEntry::new(fragment, tags.map(Into::into), version, loaded_at);
            if !limited {
                self.fragments.insert(post.id, &fragment);
            }
            Ok(RenderedPost { fragment, liked })
        });
        rendered.collect()
    }
}

fn weigh(_: &Uuid, entry: &CacheEntry<PostFragment>) -> usize {
    OVERHEAD + entry.value.json.get().len()
}

impl RenderedPost {
    pub fn id(&self) -> Uuid {
        self.fragment.value.id
    }

    pub fn author(&self) -> Uuid {
        self.fragment.value.author
    }

    /// With another end of the fragment's JSON.
    fn serialize_with_end<S: Serializer>(
        &self,
        end: &str,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let start = self.fragment.value.json.get().strip_suffix(NOT_LIKED);
        let start =
            start.ok_or_else(|| S::Error::custom("liked_by_me is not the last field of a post"))?;
        let json = RawValue::from_string([start, end].concat());
        json.map_err(S::Error::custom)?.serialize(serializer)
    }
}

impl Serialize for RenderedPost {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.liked {
            self.serialize_with_end(LIKED, serializer)
        } else {
            self.fragment.value.json.serialize(serializer)
        }
    }
}

impl Serialize for RenderedFeedPost {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let end = match (self.post.liked, self.read) {
            (false, false) => NOT_LIKED_UNREAD,
            (false, true) => NOT_LIKED_READ,
            (true, false) => LIKED_UNREAD,
            (true, true) => LIKED_READ,
        };
        self.post.serialize_with_end(end, serializer)
    }
}
