//! Fills the cache after a start.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use tokio::time::sleep;
use uuid::Uuid;

use crate::{
    endpoints::feed,
    http::page::{PageQuery, PageRequest},
    sql,
    state::AppState,
};

/// The most feeds that are loaded. At some 10 KiB each they are a small part of the cache.
const MAX_FEEDS: usize = 1_000;

/// The newest posts, whose authors' feeds are loaded.
const NEWEST_POSTS: i64 = 10_000;

/// Loads at the same time, each with a database connection that requests cannot use.
const MAX_CONCURRENT_LOADS: usize = 2;

/// How often it is checked whether the cache is usable yet.
const SUBSCRIPTION_POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Loads the first page of the feeds of the accounts that posted last, once announcements are being received. Failures
/// only leave feeds out.
pub async fn warm_up(state: AppState) {
    if !state.caches.answers.is_enabled() {
        return;
    }
    while !state.tag_versions.is_subscribed() {
        sleep(SUBSCRIPTION_POLL_INTERVAL).await;
    }
    let viewers = match sql::feed::recent_authors(&state.database, NEWEST_POSTS).await {
        Ok(authors) => distinct(authors),
        Err(error) => {
            return tracing::warn!(
                %error,
                "warm-up: cannot read the newest posts, starting with an empty cache"
            );
        }
    };
    let loads = viewers.into_iter().map(|viewer| load(&state, viewer));
    let loaded = stream::iter(loads).buffer_unordered(MAX_CONCURRENT_LOADS);
    let loaded = loaded.filter(|loaded| std::future::ready(*loaded));
    let feeds = loaded.count().await;
    tracing::info!(feeds, "warm-up: loaded the feeds of recent authors");
}

async fn load(state: &AppState, viewer: Uuid) -> bool {
    let query = PageQuery::default();
    let Ok(request) = PageRequest::new(&state.cursors, feed::PATH, viewer, &query) else {
        return false;
    };
    let load = || feed::load(state, &request, false);
    let key = request.cache_key();
    let loaded = state
        .caches
        .answers
        .get(&key, Instant::now(), false, load)
        .await;
    loaded.is_ok()
}

/// The first [`MAX_FEEDS`] distinct authors, in their order.
fn distinct(mut authors: Vec<Uuid>) -> Vec<Uuid> {
    let mut seen = HashSet::new();
    authors.retain(|author| seen.insert(*author));
    authors.truncate(MAX_FEEDS);
    authors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_author_is_taken_once() {
        let ids: Vec<_> = (0..2_000_u128).map(Uuid::from_u128).collect();
        let twice: Vec<_> = ids.iter().flat_map(|id| [*id, *id]).collect();
        assert_eq!(distinct(twice), ids[..MAX_FEEDS]);
    }
}
