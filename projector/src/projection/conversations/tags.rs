//! The cache tags of what a batch changes.

use feedmill_events::Tag;
use uuid::Uuid;

use super::fold::Changes;

/// `members` are the members of the conversations with new messages. A read mark changes the list of its own user only,
/// and the conversation for all members.
pub fn of(changes: &Changes<'_>, members: Vec<Uuid>) -> Vec<Tag> {
    let created = changes.created.iter();
    let joined = created
        .clone()
        .flat_map(|conversation| conversation.members.iter().copied());
    let readers = changes.marks.keys().map(|(user, _)| *user);
    let listed = joined.chain(members).chain(readers);
    let with_messages = changes.totals.keys().copied();
    let changed = created
        .map(|conversation| conversation.id)
        .chain(with_messages);
    let marked = changes.marks.keys().map(|(_, conversation)| *conversation);
    listed
        .map(Tag::conversations)
        .chain(changed.map(Tag::messages))
        .chain(marked.map(Tag::read_marks))
        .collect()
}
