//! The cache of post scores, which the top posts of a digest are chosen by.
//!
//! A set-associative table and not a [`Store`](super::store::Store), because a digest looks up the score of every post
//! of its period: hundreds to thousands of lookups per answer, of a few bytes each. Measured with 20,000 entries, a
//! lookup takes 20 ns here and 350 to 500 ns in moka, whose bookkeeping took half of this process's time for a digest.
//! A post has its place in one small set, where it replaces the oldest entry.

use std::{
    cmp::Reverse,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use feedmill_events::Tag;
use feedmill_service::Database;
use uuid::Uuid;

use super::{
    caches::Size,
    metrics::Lookups,
    store::{CacheKind, MAX_AGE},
};
use crate::{error::Error, freshness::tag_versions::TagVersions, sql};

/// Entries of a set, which then takes four cache lines.
const WAYS: usize = 6;

/// Cheap to clone; clones share the scores.
#[derive(Clone)]
pub struct ScoreCache {
    sets: Arc<[Mutex<Set>]>,
    tag_versions: TagVersions,
    started: Instant,
    /// How many places have an entry.
    filled: Arc<AtomicU64>,
    lookups: Arc<Lookups>,
}

#[derive(Debug, Default)]
struct Set {
    entries: [Entry; WAYS],
    /// The index of the oldest entry.
    oldest: u8,
}

/// An empty place has the nil id.
#[derive(Debug, Default, Clone, Copy)]
struct Entry {
    id: Uuid,
    score: i64,
    /// The version of [`TagVersions`] before the load.
    version: u64,
    /// When the load began, in seconds since the start.
    loaded_at: u32,
}

impl ScoreCache {
    /// A cache of `max_bytes`, which are allocated at once.
    pub fn new(max_bytes: u64, tag_versions: TagVersions) -> Self {
        let sets = max_bytes as usize / size_of::<Mutex<Set>>();
        Self {
            sets: (0..sets).map(|_| Mutex::default()).collect(),
            tag_versions,
            started: Instant::now(),
            filled: Arc::default(),
            lookups: Arc::new(Lookups::of("scores")),
        }
    }

    /// At most `limit` of the posts `ids`: by score, then newest first.
    ///
    /// One statement if scores are missing, none otherwise. None if one of the posts does not exist any more.
    pub async fn top(
        &self,
        database: &Database,
        ids: &[Uuid],
        limit: usize,
    ) -> Result<Option<Vec<Uuid>>, Error> {
        let version = self.tag_versions.current();
        let now = self.started.elapsed().as_secs() as u32;
        let mut scored = Vec::with_capacity(ids.len());
        let mut missing = Vec::new();
        for id in ids {
            match self.get(*id, now) {
                Some(score) => scored.push(Reverse((score, *id))),
                None => missing.push(*id),
            }
        }
        self.lookups.record(scored.len(), missing.len());
        if !missing.is_empty() {
            for (id, score) in sql::posts::scores(database, &missing).await? {
                scored.push(Reverse((score, id)));
                self.insert(Entry {
                    id,
                    score,
                    version,
                    loaded_at: now,
                });
            }
        }
        if scored.len() < ids.len() {
            return Ok(None);
        }
        if scored.len() > limit {
            scored.select_nth_unstable(limit);
            scored.truncate(limit);
        }
        scored.sort_unstable();
        Ok(Some(
            scored.into_iter().map(|Reverse((_, id))| id).collect(),
        ))
    }

    fn get(&self, id: Uuid, now: u32) -> Option<i64> {
        let tag = Tag::post(id);
        let set = self.set(tag)?.lock();
        let set = set.unwrap_or_else(PoisonError::into_inner);
        let entry = *set.entries.iter().find(|entry| entry.id == id)?;
        drop(set);
        self.is_fresh(&entry, tag, now).then_some(entry.score)
    }

    fn is_fresh(&self, entry: &Entry, tag: Tag, now: u32) -> bool {
        let age = now.saturating_sub(entry.loaded_at);
        u64::from(age) < MAX_AGE.as_secs()
            && self
                .tag_versions
                .unchanged_since(entry.version, &[tag.into()])
    }

    /// Removes the entries for which `keep` returns false.
    fn retain(&self, keep: impl Fn(&Entry) -> bool) {
        for set in &*self.sets {
            let mut set = set.lock().unwrap_or_else(PoisonError::into_inner);
            for entry in &mut set.entries {
                if !entry.id.is_nil() && !keep(entry) {
                    *entry = Entry::default();
                    self.filled.fetch_sub(1, Ordering::Relaxed);
                }
            }
        }
    }

    fn insert(&self, new: Entry) {
        let Some(set) = self.set(Tag::post(new.id)) else {
            return;
        };
        let mut set = set.lock().unwrap_or_else(PoisonError::into_inner);
        let Set { entries, oldest } = &mut *set;
        if let Some(old) = entries.iter_mut().find(|entry| entry.id == new.id) {
            *old = new;
        } else {
            let place = &mut entries[usize::from(*oldest)];
            if place.id.is_nil() {
                self.filled.fetch_add(1, Ordering::Relaxed);
            }
            *place = new;
            *oldest = (*oldest + 1) % WAYS as u8;
        }
    }

    /// None if the cache has no bytes. Chosen by other bits of the tag than its slot.
    fn set(&self, tag: Tag) -> Option<&Mutex<Set>> {
        let place = (tag.bits() >> 32).checked_rem(self.sets.len() as u64)?;
        self.sets.get(place as usize)
    }
}

impl CacheKind for ScoreCache {
    /// Its bytes are allocated from the start.
    fn size(&self) -> Size {
        Size {
            entries: self.filled.load(Ordering::Relaxed),
            bytes: size_of_val(&*self.sets) as u64,
        }
    }

    fn clear(&self) {
        self.retain(|_| false);
    }

    fn remove_stale(&self) {
        let now = self.started.elapsed().as_secs() as u32;
        self.retain(|entry| self.is_fresh(entry, Tag::post(entry.id), now));
    }
}

impl fmt::Debug for ScoreCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScoreCache")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(max_bytes: u64) -> ScoreCache {
        let tag_versions = TagVersions::default();
        tag_versions.set_subscribed(true);
        assert_eq!(tag_versions.current(), fresh(0).version);
        ScoreCache::new(max_bytes, tag_versions)
    }

    fn fresh(number: u128) -> Entry {
        Entry {
            id: Uuid::from_u128(number),
            score: number as i64,
            version: 1,
            loaded_at: 0,
        }
    }

    #[test]
    fn a_set_is_four_cache_lines() {
        assert!(size_of::<Mutex<Set>>() <= 256);
    }

    #[test]
    fn the_oldest_entry_of_a_set_is_replaced() {
        let scores = scores(256);
        for number in 1..=7 {
            scores.insert(fresh(number));
        }
        let cached = |number| scores.get(Uuid::from_u128(number), 0);
        assert_eq!(cached(1), None);
        assert_eq!(
            (2..=7).filter_map(cached).collect::<Vec<_>>(),
            [2, 3, 4, 5, 6, 7]
        );
        // An entry of the same post is replaced in its place.
        scores.insert(Entry {
            score: 40,
            ..fresh(4)
        });
        assert_eq!(
            (2..=7).filter_map(cached).collect::<Vec<_>>(),
            [2, 3, 40, 5, 6, 7]
        );
    }

    #[test]
    fn an_old_or_changed_score_is_not_used() {
        let scores = scores(1 << 16);
        let id = Uuid::from_u128(9);
        scores.insert(fresh(9));
        assert_eq!(scores.get(id, 599), Some(9));
        assert_eq!(scores.get(id, 600), None);
        assert_eq!(scores.get(Uuid::from_u128(8), 0), None);
        scores.tag_versions.mark_changed(&[Tag::post(id)]);
        assert_eq!(scores.get(id, 0), None);
        scores.insert(fresh(7));
        assert_eq!(scores.size().entries, 2);
        scores.remove_stale();
        assert_eq!(scores.size().entries, 1);
        scores.clear();
        assert_eq!(scores.size().entries, 0);
    }

    #[test]
    fn a_cache_too_small_for_one_set_caches_nothing() {
        let scores = scores(255);
        scores.insert(fresh(1));
        assert_eq!(scores.get(Uuid::from_u128(1), 0), None);
    }
}
