//! The posts of a feed that the client of a stream may have, to tell it which of them are edited or gone.

use chrono::{DateTime, Utc};
use feedmill_events::{PARTITIONS, Partition, id};
use uuid::Uuid;

/// The newest posts of a feed that are remembered: 24 KB.
pub const MAX_TRACKED: usize = 1_000;

/// More posts that were edited at once are a reset.
const MAX_EDITED: usize = 100;

/// The newest posts of a viewer's feed, as they were when they were last read.
#[derive(Debug, Default)]
pub struct VisiblePosts {
    /// Ascending.
    posts: Vec<VisiblePost>,
    /// They are all posts of the feed from this id on; nil if there are no older ones.
    from: Uuid,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VisiblePost {
    pub id: Uuid,
    /// In microseconds of Unix time; 0 if never.
    edited: i64,
}

/// Why posts may have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Posts were edited or deleted, or their audience changed.
    SinglePosts,
    /// The viewer's sources, connections, memberships or blocks changed. If a remembered post is lost, so may others be.
    Access,
    /// An author's posts are no longer in the feed.
    LostAuthor,
}

/// What is different from what a client has, without what is new.
#[derive(Debug, PartialEq, Eq)]
pub enum Changes {
    /// These posts, and no others.
    Posts { edited: Vec<Uuid>, lost: Vec<Uuid> },
    /// More than that is known to be lost, or may be, or too many are edited.
    Unknown,
}

/// What an event id tells of the posts, to find changes while the client was away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fingerprint {
    /// The id of the newest post; nil without one.
    pub newest: Uuid,
    pub count: u16,
    /// Of the ids and the times of edits.
    pub hash: u64,
}

impl VisiblePost {
    pub fn new(id: Uuid, edited_at: Option<DateTime<Utc>>) -> Self {
        Self {
            id,
            edited: edited_at.map_or(0, |at| at.timestamp_micros()),
        }
    }
}

impl VisiblePosts {
    /// `posts` in any order, each once: the newest ones of the feed from an id on, at most [`MAX_TRACKED`] and one more.
    pub fn new(mut posts: Vec<VisiblePost>, from: Uuid) -> Self {
        posts.sort_unstable_by_key(|post| post.id);
        let mut posts = Self { posts, from };
        posts.forget_oldest();
        posts
    }

    fn forget_oldest(&mut self) {
        let surplus = self.posts.len().saturating_sub(MAX_TRACKED);
        if surplus > 0 {
            self.posts.drain(..surplus);
            self.from = self.posts[0].id;
        }
    }

    fn find(&self, id: Uuid) -> Result<usize, usize> {
        self.posts.binary_search_by_key(&id, |post| post.id)
    }

    pub fn insert(&mut self, post: VisiblePost) {
        match self.find(post.id) {
            Ok(place) => self.posts[place] = post,
            Err(place) => {
                self.posts.insert(place, post);
                self.forget_oldest();
            }
        }
    }

    /// What is different `now`.
    pub fn changes(&self, now: &Self, cause: Cause) -> Changes {
        let (mut edited, mut lost) = (vec![], vec![]);
        // Newer posts may have displaced older ones that are still there.
        for post in self.posts.iter().filter(|post| post.id >= now.from) {
            match now.find(post.id) {
                Ok(place) if now.posts[place] != *post => edited.push(post.id),
                Ok(_) => {}
                Err(_) => lost.push(post.id),
            }
        }
        let reaches_deeper = match cause {
            Cause::SinglePosts => false,
            Cause::Access => !lost.is_empty(),
            Cause::LostAuthor => true,
        };
        if !self.from.is_nil() && reaches_deeper || edited.len() > MAX_EDITED {
            Changes::Unknown
        } else {
            Changes::Posts { edited, lost }
        }
    }

    /// Of the newest posts from before the milliseconds in `from`, by partition, at most `count`. A client whose watermarks these are
    /// has them. Later ones are new to it, and are sent.
    pub fn fingerprint(&self, from: &[i64; PARTITIONS as usize], count: usize) -> Fingerprint {
        let is_known = |post: &&VisiblePost| {
            let partition = usize::from(Partition::of(post.id).number());
            id::millis(post.id) < from[partition]
        };
        let known = self.posts.iter().rev().filter(is_known).take(count);
        let mut fingerprint = Fingerprint::default();
        for post in known {
            fingerprint.newest = fingerprint.newest.max(post.id);
            fingerprint.count += 1;
            fingerprint.hash ^= mix(post.id.as_u128() ^ u128::from(post.edited as u64));
        }
        fingerprint
    }
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood, 2014) on both halves.
fn mix(number: u128) -> u64 {
    let mut bits =
        (number as u64).wrapping_add(((number >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use std::ops::RangeInclusive;

    use super::*;

    fn ids(range: RangeInclusive<u128>) -> Vec<Uuid> {
        range.map(Uuid::from_u128).collect()
    }

    fn post(id: Uuid) -> VisiblePost {
        VisiblePost::new(id, None)
    }

    fn visible(ids: Vec<Uuid>, from: u128) -> VisiblePosts {
        let posts = ids.into_iter().map(post).collect();
        VisiblePosts::new(posts, Uuid::from_u128(from))
    }

    fn lost(lost: Vec<Uuid>) -> Changes {
        let edited = vec![];
        Changes::Posts { edited, lost }
    }

    #[test]
    fn posts_that_are_no_longer_there_are_lost() {
        let mut posts = visible(ids(1..=5), 0);
        posts.insert(post(Uuid::from_u128(6)));
        let now = visible(ids(3..=7), 0);
        assert_eq!(posts.changes(&now, Cause::LostAuthor), lost(ids(1..=2)));
        assert_eq!(now.changes(&now, Cause::Access), lost(vec![]));
    }

    #[test]
    fn the_oldest_known_post_can_be_lost() {
        let posts = visible(ids(3..=5), 2);
        let one = lost(ids(3..=3));
        assert_eq!(
            posts.changes(&visible(ids(4..=5), 2), Cause::SinglePosts),
            one
        );
        let now = visible(ids(4..=5), 4);
        assert_eq!(posts.changes(&now, Cause::SinglePosts), lost(vec![]));
    }

    #[test]
    fn displaced_posts_are_not_lost() {
        let max = MAX_TRACKED as u128;
        let posts = visible(ids(1..=max), 0);
        let now = visible(ids(2..=max + 2), 0);
        assert_eq!(posts.changes(&now, Cause::Access), lost(vec![]));
    }

    #[test]
    fn losses_below_the_remembered_posts_are_unknown() {
        let max = MAX_TRACKED as u128;
        let posts = visible(ids(1..=max + 1), 0);
        let now = visible([ids(1..=1), ids(3..=max + 1)].concat(), 1);
        let one = lost(vec![Uuid::from_u128(2)]);
        assert_eq!(posts.changes(&now, Cause::SinglePosts), one);
        assert_eq!(posts.changes(&now, Cause::Access), Changes::Unknown);
        assert_eq!(now.changes(&now, Cause::Access), lost(vec![]));
        assert_eq!(now.changes(&now, Cause::LostAuthor), Changes::Unknown);
    }

    #[test]
    fn posts_with_another_time_of_edit_are_edited() {
        let mut posts = visible(ids(1..=500), 0);
        let mut now = visible(ids(2..=501), 0);
        let at = |micros| DateTime::from_timestamp_micros(micros);
        now.insert(VisiblePost::new(Uuid::from_u128(501), at(1)));
        now.insert(VisiblePost::new(Uuid::from_u128(7), at(1)));
        let changes = Changes::Posts {
            edited: ids(7..=7),
            lost: ids(1..=1),
        };
        assert_eq!(posts.changes(&now, Cause::SinglePosts), changes);
        posts.insert(VisiblePost::new(Uuid::from_u128(7), at(1)));
        assert_eq!(posts.changes(&now, Cause::SinglePosts), lost(ids(1..=1)));
        for id in ids(2..=102) {
            now.insert(VisiblePost::new(id, at(2)));
        }
        assert_eq!(posts.changes(&now, Cause::SinglePosts), Changes::Unknown);
    }

    #[test]
    fn a_fingerprint_depends_on_each_post_that_the_client_has() {
        let all_known = [i64::MAX; PARTITIONS as usize];
        let fingerprint = |posts: &VisiblePosts| posts.fingerprint(&all_known, MAX_TRACKED);
        let all = fingerprint(&visible(ids(1..=9), 0));
        for id in ids(1..=8) {
            let mut rest = ids(1..=9);
            rest.retain(|other| *other != id);
            let mut rest = visible(rest, 0);
            assert_ne!(fingerprint(&rest), all);
            rest.insert(post(id));
            assert_eq!(fingerprint(&rest), all);
            rest.insert(VisiblePost::new(id, DateTime::from_timestamp_micros(1)));
            assert_ne!(fingerprint(&rest), all);
        }
    }

    #[test]
    fn a_fingerprint_does_not_depend_on_posts_that_are_new_to_the_client() {
        let new = |millis, partition: u8| {
            id::compose(millis, 0, 0, Some(Partition::try_from(partition).unwrap()))
        };
        let mut from = [1_000; PARTITIONS as usize];
        from[3] = 500;
        let mut posts = visible(vec![new(900, 1), new(400, 3)], 0);
        let before = posts.fingerprint(&from, MAX_TRACKED);
        // Late, because its partition was behind.
        posts.insert(post(new(600, 3)));
        posts.insert(post(new(1_000, 1)));
        assert_eq!(posts.fingerprint(&from, before.count.into()), before);
    }
}
