//! The cache of post fragments: the JSON of single posts, which the pages of a feed and the top posts of a digest are
//! assembled from. PostgreSQL then has to return only ids.
//!
//! The lookups of a page are most of what the cache costs, so they must be cheap: see
//! [`bounded_cache`](feedmill_service::bounded_cache).

use std::{collections::HashSet, sync::Arc, time::Instant};

use feedmill_events::Tag;
use feedmill_service::{Database, bounded_cache::MOKA_ENTRY_BYTES};
use serde::{Serialize, ser::Error as _};
use uuid::Uuid;

use super::{
    metrics::{self, Lookups},
    store::{CacheEntry, CacheKind, Store},
};
use crate::{error::Error, freshness::tag_versions::TagVersions, sql, views::Post};

/// The memory of a fragment besides its JSON: its allocations and its entry in moka.
const OVERHEAD: usize = 240 + MOKA_ENTRY_BYTES;

/// Twice the size of most fragments.
const BYTES_PER_BUCKET: u64 = 2_000;

/// The end of a post's JSON depends on whether the viewer likes it and, in a feed, on whether it is read.
const NOT_LIKED: &str = "\"liked_by_me\":false}";
const LIKED: &str = "\"liked_by_me\":true}";
const NOT_LIKED_UNREAD: &str = "\"liked_by_me\":false,\"read\":false}";
const NOT_LIKED_READ: &str = "\"liked_by_me\":false,\"read\":true}";
const LIKED_UNREAD: &str = "\"liked_by_me\":true,\"read\":false}";
const LIKED_READ: &str = "\"liked_by_me\":true,\"read\":true}";

/// Where posts belong in the JSON of a view that has none.
const NO_POSTS: &str = "[]";

/// Cheap to clone; clones share the fragments.
#[derive(Debug, Clone)]
pub struct PostCache {
    fragments: Arc<Store<Uuid, PostFragment>>,
    tag_versions: TagVersions,
    lookups: Arc<Lookups>,
}

/// The label of its metrics.
const NAME: &str = "posts";

/// The JSON of a post without its end. Depends on the post, its audience, and its author's name.
#[derive(Debug)]
struct PostFragment {
    id: Uuid,
    author: Uuid,
    /// Not everybody sees the post. The JSON is as for somebody else than its author.
    limited: bool,
    json: Box<str>,
}

/// A fragment as one viewer sees it.
#[derive(Debug, Clone)]
pub struct RenderedPost {
    fragment: Arc<CacheEntry<PostFragment>>,
    liked: bool,
}

impl PostCache {
    /// A cache of up to `max_bytes`, which caches nothing if that is 0.
    pub fn new(max_bytes: u64, tag_versions: TagVersions) -> Self {
        Self {
            fragments: Arc::new(Store::new(
                max_bytes,
                BYTES_PER_BUCKET,
                weigh,
                Some(metrics::evictions(NAME)),
                tag_versions.clone(),
            )),
            tag_versions,
            lookups: Arc::new(Lookups::of(NAME)),
        }
    }

    pub(super) fn store(&self) -> &impl CacheKind {
        &*self.fragments
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
        self.lookups
            .record(ids.len() - missing.len(), missing.len());
        if !missing.is_empty() {
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
            let json = serde_json::to_string(&post)?;
            let json = json.strip_suffix(NOT_LIKED);
            let json = json.ok_or_else(|| error("liked_by_me is not the last field of a post"))?;
            let fragment = PostFragment {
                id: post.id,
                author: post.author.id,
                limited: post.limited,
                json: json.into(),
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
    OVERHEAD + entry.value.json.len()
}

impl RenderedPost {
    pub fn id(&self) -> Uuid {
        self.fragment.value.id
    }

    pub fn author(&self) -> Uuid {
        self.fragment.value.author
    }

    /// The JSON as [`Post`], in two parts.
    pub fn json(&self) -> [&str; 2] {
        let end = if self.liked { LIKED } else { NOT_LIKED };
        [&self.fragment.value.json, end]
    }

    /// The JSON as [`FeedPost`](crate::views::FeedPost), in two parts.
    pub fn feed_json(&self, read: bool) -> [&str; 2] {
        let end = match (self.liked, read) {
            (false, false) => NOT_LIKED_UNREAD,
            (false, true) => NOT_LIKED_READ,
            (true, false) => LIKED_UNREAD,
            (true, true) => LIKED_READ,
        };
        [&self.fragment.value.json, end]
    }
}

/// The JSON of a view, with posts in its first array, which must be empty. The JSON of the posts is copied; serde_json would parse each
/// of them.
pub fn with_posts<'a>(
    view: &impl Serialize,
    posts: impl Iterator<Item = [&'a str; 2]>,
) -> serde_json::Result<String> {
    let view = serde_json::to_string(view)?;
    let (before, after) = view
        .split_once(NO_POSTS)
        .ok_or_else(|| error("the view has no empty array"))?;
    let mut json = [before, "["].concat();
    for (index, [start, end]) in posts.enumerate() {
        if index > 0 {
            json.push(',');
        }
        json.push_str(start);
        json.push_str(end);
    }
    json.push(']');
    json.push_str(after);
    Ok(json)
}

fn error(message: &'static str) -> serde_json::Error {
    serde_json::Error::custom(message)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn posts_are_in_the_first_array() {
        let view = serde_json::json!({ "items": [], "next": "[]" });
        let json = |posts: &[[&'static str; 2]]| with_posts(&view, posts.iter().copied()).unwrap();
        assert_eq!(json(&[]), r#"{"items":[],"next":"[]"}"#);
        assert_eq!(
            json(&[["{", "}"], ["{\"a\":1", "}"]]),
            r#"{"items":[{},{"a":1}],"next":"[]"}"#
        );
        assert!(with_posts(&7, [].into_iter()).is_err());
    }

    #[test]
    fn a_limited_fragment_is_older_than_the_permission_and_not_for_its_author() {
        let now = Instant::now();
        let fragment = |limited| {
            let post = PostFragment {
                id: Uuid::from_u128(1),
                author: Uuid::from_u128(2),
                limited,
                json: Box::default(),
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
