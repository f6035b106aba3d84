//! Tags: what an answer depends on, and what a projection has changed, as 64 bits.
//!
//! The projector announces the tags of what it changed, and a cache keeps with each answer the tags that it
//! was made of. Two things may share a tag by chance, so a tag only ever says that something *may* have
//! changed.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Tag(u64);

/// What a tag is about. The discriminants are on the wire.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
enum Kind {
    Card = 1,
    Profile = 2,
    Followers = 3,
    Following = 4,
    Post = 5,
    PostsOf = 6,
    Feed = 7,
    PostsOfDay = 8,
    Digest = 9,
    Conversations = 10,
    Messages = 11,
    Notifications = 12,
    Handle = 13,
}

impl Tag {
    /// An account's handle or display name, and that it is there at all (profiles).
    pub fn card(account: Uuid) -> Self {
        Self::of(Kind::Card, account.as_u128())
    }

    /// Who has a handle (profiles). Announced when an account gets it; that one no longer has it changes its card.
    pub fn handle(handle: &str) -> Self {
        let words = handle.as_bytes().chunks(8);
        let folded = words.fold(handle.len() as u64, |folded, chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            mix(folded ^ u64::from_le_bytes(word))
        });
        Self::of(Kind::Handle, folded.into())
    }

    /// The rest of an account's profile: bio and counts (profiles).
    pub fn profile(account: Uuid) -> Self {
        Self::of(Kind::Profile, account.as_u128())
    }

    /// Who follows an account (profiles).
    pub fn followers(account: Uuid) -> Self {
        Self::of(Kind::Followers, account.as_u128())
    }

    /// Whom an account follows (profiles).
    pub fn following(account: Uuid) -> Self {
        Self::of(Kind::Following, account.as_u128())
    }

    /// A post: that it is there, its counts, who likes it, and the list of its replies (feed). Also of a post
    /// that is gone, while replies to it come and go.
    pub fn post(post: Uuid) -> Self {
        Self::of(Kind::Post, post.as_u128())
    }

    /// Which posts an author has, replies included (feed). Every feed that shows the author depends on it.
    pub fn posts_of(author: Uuid) -> Self {
        Self::of(Kind::PostsOf, author.as_u128())
    }

    /// Whom a viewer's feed is made of (feed).
    pub fn feed(viewer: Uuid) -> Self {
        Self::of(Kind::Feed, viewer.as_u128())
    }

    /// The posts made on a UTC day, and their counts (feed): what a digest's best posts are chosen from.
    pub fn posts_of_day(day: NaiveDate) -> Self {
        let days = day.signed_duration_since(NaiveDate::default()).num_days();
        Self::of(Kind::PostsOfDay, u128::from(days.cast_unsigned()))
    }

    /// A viewer's counters of any day (digest).
    pub fn digest(viewer: Uuid) -> Self {
        Self::of(Kind::Digest, viewer.as_u128())
    }

    /// A member's list of conversations: which, their last messages and counts, what is unread (conversations).
    pub fn conversations(member: Uuid) -> Self {
        Self::of(Kind::Conversations, member.as_u128())
    }

    /// The messages of a conversation (conversations).
    pub fn messages(conversation: Uuid) -> Self {
        Self::of(Kind::Messages, conversation.as_u128())
    }

    /// A viewer's notifications, and up to where they are read (notifications).
    pub fn notifications(viewer: Uuid) -> Self {
        Self::of(Kind::Notifications, viewer.as_u128())
    }

    /// Well mixed: any of its bits may serve as a place in a table.
    pub fn bits(self) -> u64 {
        self.0
    }

    /// Ids of one millisecond and one partition differ in their random bits only, so all bits are mixed, by the
    /// finalizer of SplitMix64 (Steele, Lea and Flood, 2014).
    fn of(kind: Kind, id: u128) -> Self {
        let folded = mix((id >> 64) as u64 ^ mix(u64::from(kind as u8)));
        Self(mix(folded ^ id as u64))
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
            assert!(tags.insert(Tag::card(id)) && tags.insert(Tag::post(id)));
            assert!(tags.insert(Tag::feed(Uuid::from_u128(number << 64))) || number == 0);
            assert!(tags.insert(Tag::handle(&format!("handle_{number}"))));
        }
    }

    #[test]
    fn tags_are_the_same_in_every_process() {
        assert_eq!(
            Tag::card(Uuid::from_u128(7)).bits(),
            Tag::card(Uuid::from_u128(7)).bits()
        );
        assert_ne!(
            Tag::posts_of_day(NaiveDate::default()),
            Tag::posts_of_day(NaiveDate::default().succ_opt().unwrap())
        );
    }
}
