//! The posts of a feed that the client of a stream may have, to tell it which of them are gone.

use feedmill_events::{PARTITIONS, Partition, id};
use uuid::Uuid;

/// The newest posts of a feed that are remembered: 16 KB.
pub const MAX_TRACKED: usize = 1_000;

/// The newest posts of a viewer's feed, as they were when they were last read.
#[derive(Debug, Default)]
pub struct VisiblePosts {
    /// Ascending.
    ids: Vec<Uuid>,
    /// The feed has more posts, or may have.
    truncated: bool,
}

/// Why posts may be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Posts were deleted, or their audience changed.
    SinglePosts,
    /// The viewer's sources, connections, memberships or blocks changed. If a remembered post is lost, so may others be.
    Access,
    /// An author's posts are no longer in the feed.
    LostAuthor,
}

/// What a client has lost.
#[derive(Debug, PartialEq, Eq)]
pub enum Losses {
    /// These posts, and no others.
    Posts(Vec<Uuid>),
    /// More than that is known to be lost, or may be.
    Unknown,
}

/// What an event id tells of the posts, to find losses while the client was away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fingerprint {
    /// The id of the newest post; nil without one.
    pub newest: Uuid,
    pub count: u16,
    /// Of the ids.
    pub hash: u64,
}

impl VisiblePosts {
    /// `ids` in any order, at most [`MAX_TRACKED`] and one more. `truncated` if the feed may have more than these.
    pub fn new(mut ids: Vec<Uuid>, truncated: bool) -> Self {
        ids.sort_unstable();
        ids.dedup();
        let mut posts = Self { ids, truncated };
        posts.forget_oldest();
        posts
    }

    fn forget_oldest(&mut self) {
        let surplus = self.ids.len().saturating_sub(MAX_TRACKED);
        self.ids.drain(..surplus);
        self.truncated |= surplus > 0;
    }

    pub fn insert(&mut self, id: Uuid) {
        if let Err(place) = self.ids.binary_search(&id) {
            self.ids.insert(place, id);
            self.forget_oldest();
        }
    }

    /// Replaces the posts by those of now.
    pub fn replace(&mut self, now: Self, cause: Cause) -> Losses {
        let before = std::mem::replace(self, now);
        if self.truncated && self.ids.is_empty() && !before.ids.is_empty() {
            return Losses::Unknown;
        }
        // Newer posts may have displaced older ones that are still there.
        let oldest = self.ids.first().filter(|_| self.truncated);
        let oldest = oldest.copied().unwrap_or_default();
        let is_lost = |id: &Uuid| *id >= oldest && self.ids.binary_search(id).is_err();
        let lost: Vec<Uuid> = before.ids.into_iter().filter(is_lost).collect();
        let reaches_deeper = match cause {
            Cause::SinglePosts => false,
            Cause::Access => !lost.is_empty(),
            Cause::LostAuthor => true,
        };
        if before.truncated && reaches_deeper {
            Losses::Unknown
        } else {
            Losses::Posts(lost)
        }
    }

    /// Of the newest posts from before the milliseconds in `from`, by partition, at most `count`. A client whose watermarks these are
    /// has them. Later ones are new to it, and are sent.
    pub fn fingerprint(&self, from: &[i64; PARTITIONS as usize], count: usize) -> Fingerprint {
        let is_known = |id: &&Uuid| {
            let partition = usize::from(Partition::of(**id).number());
            id::millis(**id) < from[partition]
        };
        let known = self.ids.iter().rev().filter(is_known).take(count);
        let mut fingerprint = Fingerprint::default();
        for id in known {
            fingerprint.newest = fingerprint.newest.max(*id);
            fingerprint.count += 1;
            fingerprint.hash ^= mix(id.as_u128());
        }
        fingerprint
    }
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood, 2014) on both halves.
fn mix(id: u128) -> u64 {
    let mut bits =
        (id as u64).wrapping_add(((id >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(range: std::ops::RangeInclusive<u128>) -> Vec<Uuid> {
        range.map(Uuid::from_u128).collect()
    }

    #[test]
    fn posts_that_are_no_longer_there_are_lost() {
        let mut posts = VisiblePosts::new(ids(1..=5), false);
        posts.insert(Uuid::from_u128(6));
        let now = VisiblePosts::new(ids(3..=7), false);
        assert_eq!(
            posts.replace(now, Cause::LostAuthor),
            Losses::Posts(ids(1..=2))
        );
        let now = VisiblePosts::new(ids(3..=7), false);
        assert_eq!(posts.replace(now, Cause::Access), Losses::Posts(vec![]));
    }

    #[test]
    fn displaced_posts_are_not_lost() {
        let max = MAX_TRACKED as u128;
        let mut posts = VisiblePosts::new(ids(1..=max), false);
        let now = VisiblePosts::new(ids(2..=max + 1), true);
        assert_eq!(posts.replace(now, Cause::Access), Losses::Posts(vec![]));
    }

    #[test]
    fn losses_below_the_remembered_posts_are_unknown() {
        let max = MAX_TRACKED as u128;
        let mut posts = VisiblePosts::new(ids(1..=max + 1), false);
        let now = || VisiblePosts::new([ids(1..=1), ids(3..=max + 1)].concat(), true);
        let lost = vec![Uuid::from_u128(2)];
        assert_eq!(
            posts.replace(now(), Cause::SinglePosts),
            Losses::Posts(lost)
        );
        assert_eq!(posts.replace(now(), Cause::Access), Losses::Posts(vec![]));
        assert_eq!(posts.replace(now(), Cause::LostAuthor), Losses::Unknown);
    }

    #[test]
    fn a_fingerprint_depends_on_each_post_that_the_client_has() {
        let all_known = [i64::MAX; PARTITIONS as usize];
        let fingerprint = |posts: &VisiblePosts| posts.fingerprint(&all_known, MAX_TRACKED);
        let all = fingerprint(&VisiblePosts::new(ids(1..=9), false));
        for lost in 1..9 {
            let rest = ids(1..=9).into_iter().filter(|id| id.as_u128() != lost);
            let mut rest = VisiblePosts::new(rest.collect(), false);
            assert_ne!(fingerprint(&rest), all);
            rest.insert(Uuid::from_u128(lost));
            assert_eq!(fingerprint(&rest), all);
        }
    }

    #[test]
    fn a_fingerprint_does_not_depend_on_posts_that_are_new_to_the_client() {
        let post = |millis, partition: u8| {
            id::compose(millis, 0, 0, Some(Partition::try_from(partition).unwrap()))
        };
        let mut from = [1_000; PARTITIONS as usize];
        from[3] = 500;
        let mut posts = VisiblePosts::new(vec![post(900, 1), post(400, 3)], false);
        let before = posts.fingerprint(&from, MAX_TRACKED);
        // Late, because its partition was behind.
        posts.insert(post(600, 3));
        posts.insert(post(1_000, 1));
        assert_eq!(posts.fingerprint(&from, before.count.into()), before);
    }
}
