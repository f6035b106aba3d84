//! Scores of posts kept in memory: what a digest's best posts are chosen by. To look at each post of a week for it is
//! four fifths of a digest's statement.
//!
//! A score is good for as long as its post has not changed, as an answer is ([`Changes`]). A digest asks for hundreds of
//! them, of a few bytes each, so they are in a set-associative table, as a processor's cache is: a post has its place in
//! one small set, and the oldest one there makes room for it. (With moka, half of a digest's time in this process went
//! into keeping its books.)

use std::{
    cmp::Reverse,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use feedmill_events::Tag;
use feedmill_service::Database;
use uuid::Uuid;

use crate::{changes::Changes, error::Error, kept::TIME_TO_LIVE, query};

/// Posts of a set, which is then as large as four cache lines.
const WAYS: usize = 6;

/// Cheap to clone; clones share what they keep.
#[derive(Clone)]
pub struct Scores {
    sets: Arc<[Mutex<Set>]>,
    changes: Changes,
    started: Instant,
}

#[derive(Debug, Default)]
struct Set {
    kept: [Kept; WAYS],
    oldest: u8,
}

/// Of the nil id: nothing.
#[derive(Debug, Default, Clone, Copy)]
struct Kept {
    id: Uuid,
    score: i64,
    /// The clock of [`Changes`] before it was loaded.
    began: u64,
    /// In seconds since the start.
    loaded: u32,
}

impl Scores {
    /// Keeps up to `max_bytes`.
    pub fn new(max_bytes: u64, changes: Changes) -> Self {
        let sets = max_bytes as usize / size_of::<Mutex<Set>>();
        Self {
            sets: (0..sets).map(|_| Mutex::default()).collect(),
            changes,
            started: Instant::now(),
        }
    }

    /// The best of these posts, at most `most`: by score, then newest. The scores that are not kept are read from
    /// `database`, in one statement. None if one of the posts is gone by now.
    pub async fn best(
        &self,
        database: &Database,
        ids: &[Uuid],
        most: usize,
    ) -> Result<Option<Vec<Uuid>>, Error> {
        let (began, now) = (self.changes.now(), self.started.elapsed().as_secs() as u32);
        let mut scored = Vec::with_capacity(ids.len());
        let mut missing = Vec::new();
        for id in ids {
            match self.kept(*id, now) {
                Some(score) => scored.push(Reverse((score, *id))),
                None => missing.push(*id),
            }
        }
        if !missing.is_empty() {
            for (id, score) in query::post::scores(database, &missing).await? {
                scored.push(Reverse((score, id)));
                self.keep(Kept {
                    id,
                    score,
                    began,
                    loaded: now,
                });
            }
        }
        if scored.len() < ids.len() {
            return Ok(None);
        }
        if scored.len() > most {
            scored.select_nth_unstable(most);
            scored.truncate(most);
        }
        scored.sort_unstable();
        Ok(Some(
            scored.into_iter().map(|Reverse((_, id))| id).collect(),
        ))
    }

    fn kept(&self, id: Uuid, now: u32) -> Option<i64> {
        let tag = Tag::post(id);
        let set = self.set(tag)?.lock();
        let set = set.unwrap_or_else(PoisonError::into_inner);
        let kept = *set.kept.iter().find(|kept| kept.id == id)?;
        drop(set);
        let young = u64::from(now.saturating_sub(kept.loaded)) < TIME_TO_LIVE.as_secs();
        let good = young && (self.changes).unchanged_since(kept.began, &[Changes::slot(tag)]);
        good.then_some(kept.score)
    }

    fn keep(&self, new: Kept) {
        let Some(set) = self.set(Tag::post(new.id)) else {
            return;
        };
        let mut set = set.lock().unwrap_or_else(PoisonError::into_inner);
        let Set { kept, oldest } = &mut *set;
        if let Some(old) = kept.iter_mut().find(|kept| kept.id == new.id) {
            *old = new;
        } else {
            kept[usize::from(*oldest)] = new;
            *oldest = (*oldest + 1) % WAYS as u8;
        }
    }

    /// None if nothing is kept. By other bits than [`Changes::slot`].
    fn set(&self, tag: Tag) -> Option<&Mutex<Set>> {
        let place = (tag.bits() >> 32).checked_rem(self.sets.len() as u64)?;
        self.sets.get(place as usize)
    }
}

impl fmt::Debug for Scores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scores")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(max_bytes: u64) -> Scores {
        let changes = Changes::default();
        changes.set_hearing(true);
        assert_eq!(changes.now(), good(0).began);
        Scores::new(max_bytes, changes)
    }

    fn good(number: u128) -> Kept {
        Kept {
            id: Uuid::from_u128(number),
            score: number as i64,
            began: 1,
            loaded: 0,
        }
    }

    #[test]
    fn a_set_is_four_cache_lines() {
        assert!(size_of::<Mutex<Set>>() <= 256);
    }

    #[test]
    fn the_oldest_of_a_set_makes_room() {
        let scores = scores(256);
        for number in 1..=7 {
            scores.keep(good(number));
        }
        let there = |number| scores.kept(Uuid::from_u128(number), 0);
        assert_eq!(there(1), None);
        assert_eq!(
            (2..=7).filter_map(there).collect::<Vec<_>>(),
            [2, 3, 4, 5, 6, 7]
        );
        // Once more the same takes nobody's place.
        scores.keep(Kept {
            score: 40,
            ..good(4)
        });
        assert_eq!(
            (2..=7).filter_map(there).collect::<Vec<_>>(),
            [2, 3, 40, 5, 6, 7]
        );
    }

    #[test]
    fn nothing_old_or_changed_is_good() {
        let scores = scores(1 << 16);
        let id = Uuid::from_u128(9);
        scores.keep(good(9));
        assert_eq!(scores.kept(id, 599), Some(9));
        assert_eq!(scores.kept(id, 600), None);
        assert_eq!(scores.kept(Uuid::from_u128(8), 0), None);
        scores.changes.these(&[Tag::post(id)]);
        assert_eq!(scores.kept(id, 0), None);
    }

    #[test]
    fn without_memory_nothing_is_kept() {
        let scores = scores(255);
        scores.keep(good(1));
        assert_eq!(scores.kept(Uuid::from_u128(1), 0), None);
    }
}
