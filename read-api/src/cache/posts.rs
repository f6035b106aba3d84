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

/// The JSON of a post for a viewer who does not like it. Depends on the post, its audience, and its author's name.
#[derive(Debug)]
struct PostFragment {
    id: Uuid,
    author: Uuid,
    /// Not everybody sees the post. The JSON is as for somebody else than its author.
    limited: bool,
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

    /// The root posts `ids`, in this order, for a viewer who likes those that are in `likes`. A statement that began at `listed_from`
    /// has found that the viewer sees them.
    ///
    /// One statement if fragments are missing, none otherwise. None if one of the posts does not exist any more, or the viewer does
    /// not see it any more.
    pub async fn by_ids(
        &self,
        database: &Database,
        viewer: Uuid,
        listed_from: Instant,
        ids: &[Uuid],
        likes: &[Uuid],
    ) -> Result<Option<Vec<RenderedPost>>, Error> {
        let now = Instant::now();
        let likes: HashSet<Uuid> = likes.iter().copied().collect();
        let cached = |id: &Uuid| {
            let fragment = self.fragments.get_fresh(id, now)?;
            let liked = likes.contains(id);
            is_for(&fragment, viewer, listed_from).then_some(RenderedPost { fragment, liked })
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
            let mut loaded = self.insert(viewer, version, loaded)?.into_iter().peekable();
            // In the order of `missing`, but perhaps with gaps.
            for (id, post) in ids.iter().zip(&mut posts) {
                if post.is_none() {
                    *post = loaded.next_if(|loaded| loaded.id() == *id);
                }
            }
        }
        Ok(posts.into_iter().collect())
    }

    /// Renders a viewer's posts, whose load began at `version` or later, and caches their fragments, without those that depend on the
    /// viewer or on another thread's audience.
    pub fn insert(
        &self,
        viewer: Uuid,
        version: u64,
        posts: Vec<Post>,
    ) -> serde_json::Result<Vec<RenderedPost>> {
        let loaded_at = Instant::now();
        let rendered = posts.into_iter().map(|mut post| {
            let is_shared = !post.limited || post.reply_to.is_none() && post.author.id != viewer;
            let liked = std::mem::take(&mut post.liked_by_me);
            let tags = [Tag::post(post.id), Tag::account_summary(post.author.id)];
            let fragment = PostFragment {
                id: post.id,
                author: post.author.id,
                limited: post.limited,
                json: to_raw_value(&post)?,
            };
            let fragment = CacheEntry::new(fragment, tags.map(Into::into), version, loaded_at);
            if is_shared {
                self.fragments.insert(post.id, &fragment);
            }
            Ok(RenderedPost { fragment, liked })
        });
        rendered.collect()
    }
}

/// Whether a fragment is what the viewer may have, according to a statement that began at `listed_from`. A limited post's text must not
/// be newer than the permission: its author may have changed it because this viewer does not see it any more.
fn is_for(fragment: &CacheEntry<PostFragment>, viewer: Uuid, listed_from: Instant) -> bool {
    let post = &fragment.value;
    !post.limited || post.author != viewer && fragment.loaded_at <= listed_from
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_limited_fragment_is_older_than_the_permission_and_not_for_its_author() {
        let now = Instant::now();
        let fragment = |limited| {
            let post = PostFragment {
                id: Uuid::from_u128(1),
                author: Uuid::from_u128(2),
                limited,
                json: RawValue::NULL.to_owned(),
            };
            CacheEntry::new(post, [], 0, now)
        };
        let before = now.checked_sub(Duration::from_secs(1)).unwrap();
        let after = now + Duration::from_secs(1);
        let is_for = |limited, viewer, listed_from| {
            let viewer = Uuid::from_u128(viewer);
            is_for(&fragment(limited), viewer, listed_from)
        };
        assert!(is_for(false, 2, before));
        assert!(is_for(true, 3, now));
        assert!(!is_for(true, 3, before));
        assert!(!is_for(true, 2, after));
    }
}
