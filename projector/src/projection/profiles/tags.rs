//! The cache tags of what a batch changes.

use feedmill_events::Tag;

use super::fold::Changes;

/// A changed account gets all of its tags: an event has the new values of all fields and does not say which differ.
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
    for (account, _) in changes.connections.changed() {
        tags.push(Tag::connections(account));
    }
    for (recipient, requester) in changes.requests.changed() {
        tags.extend([
            Tag::requests_received(recipient),
            Tag::requests_sent(requester),
        ]);
    }
    tags.extend(changes.settings.keys().copied().map(Tag::own_settings));
    let counted = changes.counts.iter();
    // A profile shows no requests: if one changed its tag, others could notice it.
    let counted = counted.filter(|(_, counts)| counts.changes_profile());
    tags.extend(counted.map(|(account, _)| Tag::profile(*account)));
    tags
}
