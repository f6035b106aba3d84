//! All caches of the process, for operators.

use std::time::Duration;

use metrics::gauge;
use tokio::time::interval;

use super::{
    answers::AnswerCache, feeds::FeedCache, posts::PostCache, scores::ScoreCache, store::CacheKind,
};

/// How often the gauges are updated.
const GAUGE_INTERVAL: Duration = Duration::from_secs(1);

/// Cheap to clone; clones share the entries.
#[derive(Debug, Clone)]
pub struct Caches {
    pub answers: AnswerCache,
    pub posts: PostCache,
    pub scores: ScoreCache,
    pub feeds: FeedCache,
}

/// The entries of a cache, fresh or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub entries: u64,
    pub bytes: u64,
}

impl Caches {
    /// Each cache, with the label of its metrics.
    fn kinds(&self) -> [(&'static str, &dyn CacheKind); 5] {
        [
            ("answers", self.answers.store()),
            ("posts", self.posts.store()),
            ("scores", &self.scores),
            ("followees", self.feeds.followees_store()),
            ("unread", self.feeds.readings_store()),
        ]
    }

    /// By the label of the cache.
    pub fn sizes(&self) -> [(&'static str, Size); 5] {
        self.kinds().map(|(name, cache)| (name, cache.size()))
    }

    /// Removes every entry.
    pub fn clear(&self) {
        for (_, cache) in self.kinds() {
            cache.clear();
        }
    }

    /// Removes the entries that have changed or are too old: they would only be removed to make room for others. Looks at
    /// every entry.
    pub fn remove_stale(&self) {
        for (_, cache) in self.kinds() {
            cache.remove_stale();
        }
    }

    /// Updates the gauges until cancelled.
    pub async fn report_sizes(self) {
        let mut tick = interval(GAUGE_INTERVAL);
        loop {
            tick.tick().await;
            for (cache, size) in self.sizes() {
                gauge!("cache_entries", "cache" => cache).set(size.entries as f64);
                gauge!("cache_bytes", "cache" => cache).set(size.bytes as f64);
            }
        }
    }
}
