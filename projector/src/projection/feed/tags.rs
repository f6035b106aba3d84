//! Whose answers a batch changes.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use feedmill_events::{Tag, id};
use uuid::Uuid;

use super::fold::Changes;

/// `counted` are the root posts of before the batch whose counts it changed. A reply changes the list of replies
/// to what it answers, even if that is gone.
pub fn of(changes: &Changes<'_>, counted: &[Uuid]) -> Vec<Tag> {
    let mut tags = vec![];
    let mut days: BTreeSet<NaiveDate> = counted.iter().copied().filter_map(day).collect();
    let created = changes.created.iter();
    let created = created.map(|(id, post)| (*id, post.author, post.reply_to));
    let deleted = changes.deleted.iter();
    let deleted = deleted.map(|(id, post)| (*id, post.author, post.reply_to));
    for (id, author, reply_to) in created.chain(deleted) {
        tags.extend([Tag::post(id), Tag::posts_of(author)]);
        match reply_to {
            Some(parent) => tags.push(Tag::post(parent)),
            None => days.extend(day(id)),
        }
    }
    tags.extend(changes.counts.keys().copied().map(Tag::post));
    let liked = changes.likes.started().chain(changes.likes.stopped());
    tags.extend(liked.map(|(post, _)| Tag::post(post)));
    let follows = changes.follows.started().chain(changes.follows.stopped());
    tags.extend(follows.map(|(_, viewer)| Tag::feed(viewer)));
    tags.extend(days.into_iter().map(Tag::posts_of_day));
    tags
}

/// The UTC day on which a post was made.
fn day(post: Uuid) -> Option<NaiveDate> {
    chrono::DateTime::from_timestamp_millis(id::millis(post)).map(|at| at.date_naive())
}
