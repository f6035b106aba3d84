//! Cache tags: what an answer depends on and what a projection changed, as 64 bits.
//!
//! The projector announces the tags of what it changed, and a cache entry records the tags that it depends on. Tags are
//! hashes, so two may collide: a tag only says that something *may* have changed.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Tag(u64);

/// The table of tags that name an account, post or conversation: constructor, number on the wire, meaning.
macro_rules! tags {
    ($($(#[$doc:meta])* $name:ident = $number:literal;)+) => {
        impl Tag {
            $($(#[$doc])* pub fn $name(id: Uuid) -> Self {
                Self::of($number, id.as_u128())
            })+
        }
    };
}

tags! {
    /// An account's handle or display name, and that it exists (profiles).
    account_summary = 1;
    /// The rest of an account's profile: bio and counts (profiles).
    profile = 2;
    /// The followers of an account (profiles).
    followers = 3;
    /// The accounts that an account follows (profiles).
    following = 4;
    /// A post: that it exists, its counts, its likes, and the list of its replies (feed). A deleted post's tag still
    /// changes with the list of its replies.
    post = 5;
    /// The list of an author's posts, replies included (feed). Every feed that shows the author depends on it.
    posts_of = 6;
    /// The list of accounts whose posts are in a viewer's feed (feed).
    feed = 7;
    /// A viewer's digest counters of any day (digest).
    digest = 9;
    /// A member's list of conversations with last messages, counts and unread counts (conversations).
    conversations = 10;
    /// The messages of a conversation (conversations).
    messages = 11;
    /// A viewer's notifications and their read mark (notifications).
    notifications = 12;
    /// A viewer's list of bookmarks (feed).
    bookmarks = 14;
    /// The read marks of a conversation's members (conversations).
    read_marks = 15;
    /// The connections of an account (profiles).
    connections = 16;
    /// The requests for a connection that an account has received and not answered (profiles).
    requests_received = 17;
    /// The requests for a connection of an account that are unanswered (profiles).
    requests_sent = 18;
    /// The accounts that an account mutes (feed).
    mutes = 19;
    /// An account's audience tags and their members (feed).
    audience_tags = 40;
    /// The list of posts that a viewer likes (feed).
    likes = 30;
    /// What a viewer is allowed to see of others: connections, memberships in tags of others, and blocks in either direction (feed).
    access = 32;
    /// Who may see the thread of a root post (feed).
    audience = 33;
    /// The accounts that an account blocks (feed).
    blocks = 34;
    /// An account's settings, which only its owner sees (profiles).
    own_settings = 36;
    /// The root posts of an author, if one was edited or deleted or got another audience (feed). `posts_of` changes, too.
    changed_posts_of = 37;
    /// Up to where a viewer has read the feed (feed).
    feed_mark = 31;
    /// A conversation's title and members, for those who may read it (conversations).
    conversation = 20;
    /// Which conversations a viewer has muted (conversations).
    muted_conversations = 21;
}

impl Tag {
    /// The posts of a UTC day and their counts (feed): the candidates for a digest's top posts.
    pub fn posts_of_day(day: NaiveDate) -> Self {
        let days = day.signed_duration_since(NaiveDate::default()).num_days();
        Self::of(8, u128::from(days.cast_unsigned()))
    }

    /// The audience of any thread (feed): for a list whose posts are of threads that are not known beforehand.
    pub fn any_audience() -> Self {
        Self::of(35, 0)
    }

    /// The owner of a handle (profiles). Announced when an account gets the handle; losing it changes the account's
    /// summary.
    pub fn handle(handle: &str) -> Self {
        let words = handle.as_bytes().chunks(8);
        let hash = words.fold(handle.len() as u64, |hash, chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            mix(hash ^ u64::from_le_bytes(word))
        });
        Self::of(13, hash.into())
    }

    /// Uniformly distributed: any of the bits can index a hash table.
    pub fn bits(self) -> u64 {
        self.0
    }

    /// Mixes all bits with the finalizer of SplitMix64 (Steele, Lea and Flood, 2014), since ids of one millisecond and
    /// partition differ only in their random bits. `kind` is unique per constructor and goes over the wire.
    fn of(kind: u8, id: u128) -> Self {
        let hash = mix((id >> 64) as u64 ^ mix(u64::from(kind)));
        Self(mix(hash ^ id as u64))
    }
}

fn mix(mut bits: u64) -> u64 {
    bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn different_things_have_different_tags() {
        let mut tags = HashSet::new();
        for number in 0..10_000_u128 {
            let id = Uuid::from_u128(number);
            assert!(tags.insert(Tag::account_summary(id)) && tags.insert(Tag::post(id)));
            assert!(tags.insert(Tag::feed(Uuid::from_u128(number << 64))) || number == 0);
            assert!(tags.insert(Tag::handle(&format!("handle_{number}"))));
        }
    }

    #[test]
    fn tags_are_the_same_in_every_process() {
        assert_eq!(
            Tag::account_summary(Uuid::from_u128(7)).bits(),
            Tag::account_summary(Uuid::from_u128(7)).bits()
        );
        assert_ne!(
            Tag::posts_of_day(NaiveDate::default()),
            Tag::posts_of_day(NaiveDate::default().succ_opt().unwrap())
        );
    }
}
