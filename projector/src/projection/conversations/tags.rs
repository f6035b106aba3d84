//! Whose answers a batch changes.

use feedmill_events::Tag;
use uuid::Uuid;

use super::fold::Changes;

/// `members` are those of the conversations that have new messages. A read mark shows to nobody but its user.
pub fn of(changes: &Changes<'_>, members: Vec<Uuid>) -> Vec<Tag> {
    let created = changes.created.iter();
    let joined = created
        .clone()
        .flat_map(|conversation| conversation.members.iter().copied());
    let readers = changes.marks.keys().map(|(user, _)| *user);
    let listed = joined.chain(members).chain(readers);
    let said = changes.talked.keys().copied();
    let told = created.map(|conversation| conversation.id).chain(said);
    listed
        .map(Tag::conversations)
        .chain(told.map(Tag::messages))
        .collect()
}
