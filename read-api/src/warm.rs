//! After a start: the first pages of those who were there last are loaded before they ask.

use std::{collections::HashSet, time::Duration};

use futures::{StreamExt, stream};
use tokio::time::sleep;
use uuid::Uuid;

use crate::{
    http::feed,
    page::{PageQuery, PageRequest},
    query,
    state::AppState,
};

/// How many feeds. At some 10 KiB each they are a small part of the cache.
const FEEDS: usize = 1_000;

/// Among the authors of so many posts.
const POSTS: i64 = 10_000;

/// Connections that this takes from requests, at most.
const AT_ONCE: usize = 2;

/// Between two looks whether anything can be kept yet.
const PAUSE: Duration = Duration::from_millis(200);

/// Loads the first page of the feeds of those who posted last. Whoever is never answered from memory, or has no
/// database, is served all the same: what fails is left out.
pub async fn warm_up(state: AppState) {
    if !state.cache.is_on() {
        return;
    }
    while !state.changes.hearing() {
        sleep(PAUSE).await;
    }
    let viewers = match query::feed::recent_authors(&state.database, POSTS).await {
        Ok(authors) => newest(authors),
        Err(error) => return tracing::warn!(%error, "nothing is loaded ahead"),
    };
    let loads = viewers.into_iter().map(|viewer| load(&state, viewer));
    let loaded = stream::iter(loads).buffer_unordered(AT_ONCE);
    let loaded = loaded.filter(|loaded| std::future::ready(*loaded));
    let feeds = loaded.count().await;
    tracing::info!(feeds, "feeds are loaded ahead");
}

async fn load(state: &AppState, viewer: Uuid) -> bool {
    let query = PageQuery::default();
    let Ok(request) = PageRequest::new(&state.cursors, feed::PATH, viewer, &query) else {
        return false;
    };
    let load = || feed::load(state, &request, false);
    let loaded = state.cache.get(&request.cache_key(), false, load).await;
    loaded.is_ok()
}

/// Each once, the first ones first.
fn newest(mut authors: Vec<Uuid>) -> Vec<Uuid> {
    let mut seen = HashSet::new();
    authors.retain(|author| seen.insert(*author));
    authors.truncate(FEEDS);
    authors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_taken_once() {
        let ids: Vec<_> = (0..2_000_u128).map(Uuid::from_u128).collect();
        let twice: Vec<_> = ids.iter().flat_map(|id| [*id, *id]).collect();
        assert_eq!(newest(twice), ids[..FEEDS]);
    }
}
