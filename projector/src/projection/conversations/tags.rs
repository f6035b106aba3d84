//! The cache tags of what a batch changes.

use feedmill_events::Tag;
use uuid::Uuid;

use super::fold::Changes;

/// `members` are the members of the conversations with new or deleted messages, or whose title or members change. A read mark changes
/// the list of its own user only, and the conversation for all members.
pub fn of(changes: &Changes<'_>, members: Vec<Uuid>) -> Vec<Tag> {
    let created = changes.created.iter();
    let joined = created
        .clone()
        .flat_map(|conversation| conversation.members.iter().copied());
    let created = created.map(|conversation| conversation.id);
    let readers = changes.marks.keys().map(|(user, _)| *user);
    let muting = changes.muted.keys().map(|(user, _)| *user);
    let left = changes.memberships.ended().map(|(user, _)| user);
    let listed = joined
        .chain(members)
        .chain(left)
        .chain(readers)
        .chain(muting.clone());
    let changed = created.clone().chain(changes.changed());
    let deleted = changes
        .deleted
        .iter()
        .map(|(conversation, _)| *conversation);
    let with_messages = created.chain(changes.totals.keys().copied()).chain(deleted);
    let marked = changes.marks.keys().map(|(_, conversation)| *conversation);
    listed
        .map(Tag::conversations)
        .chain(muting.map(Tag::muted_conversations))
        .chain(changed.map(Tag::conversation))
        .chain(with_messages.map(Tag::messages))
        .chain(marked.map(Tag::read_marks))
        .collect()
}
