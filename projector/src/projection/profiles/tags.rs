//! Whose answers a batch changes.

use feedmill_events::Tag;

use super::fold::{Changes, Counts};

/// A changed profile is named whole: an event says how it is now, not what of it is new.
pub fn of(changes: &Changes<'_>) -> Vec<Tag> {
    let mut tags = vec![];
    for (id, account) in &changes.accounts {
        tags.extend([
            Tag::account_summary(*id),
            Tag::profile(*id),
            Tag::handle(account.handle),
        ]);
    }
    for (followee, follower) in changes.follows.changed() {
        tags.extend([Tag::followers(followee), Tag::following(follower)]);
    }
    let counted = changes.counts.iter();
    let counted = counted.filter(|(_, counts)| **counts != Counts::default());
    tags.extend(counted.map(|(account, _)| Tag::profile(*account)));
    tags
}
