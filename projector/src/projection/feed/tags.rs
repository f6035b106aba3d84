//! The cache tags of what a batch changes.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use feedmill_events::Tag;
use uuid::Uuid;

use super::{Applied, fold::Changes, sources::Deliveries};
use crate::projection::event_time::created_at;

/// A reply changes the list of replies to its parent, even if the parent is deleted.
pub(super) fn of(changes: &Changes<'_>, deliveries: &Deliveries, applied: &Applied) -> Vec<Tag> {
    let mut tags = vec![];
    let mut days: BTreeSet<NaiveDate> = applied.counted.iter().copied().filter_map(day).collect();
    // Another audience changes the posts of everyone in the thread.
    tags.extend(applied.post_counts.keys().copied().map(Tag::posts_of));
    days.extend(
        changes
            .audiences
            .of_existing()
            .filter_map(|(root, _)| day(root)),
    );
    tags.extend(changes.audiences.tags());
    tags.extend(changes.sources.tags());
    tags.extend(applied.lost_members.iter().copied().map(Tag::access));
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
    let deleted = changes.deleted.values();
    let deleted = deleted.filter(|post| post.reply_to.is_none());
    tags.extend(deleted.map(|post| Tag::changed_posts_of(post.author)));
    for (id, edit) in &changes.edited {
        let author = edit.author;
        tags.extend([
            Tag::post(*id),
            Tag::posts_of(author),
            Tag::changed_posts_of(author),
        ]);
    }
    tags.extend(changes.counts.keys().copied().map(Tag::post));
    tags.extend(changes.links.tags());
    tags.extend(changes.audience_tags.tags());
    let feeds = deliveries.started.iter().chain(&deliveries.ended);
    tags.extend(feeds.map(|(_, viewer)| Tag::feed(*viewer)));
    tags.extend(changes.marks.keys().copied().map(Tag::feed_mark));
    tags.extend(days.into_iter().map(Tag::posts_of_day));
    tags
}

/// The UTC day on which a post was created.
fn day(post: Uuid) -> Option<NaiveDate> {
    created_at(post).ok().map(|at| at.date_naive())
}
