//! The cache tags of what a batch changes.

use feedmill_events::Tag;
use uuid::Uuid;

use super::fold::Changes;

/// `lost` are the viewers whose notifications about a deleted post were deleted.
pub fn of(changes: &Changes, lost: Vec<Uuid>) -> Vec<Tag> {
    let acts = changes.acts.changed().chain(changes.replies.changed());
    let viewers = acts.map(|(viewer, _)| viewer);
    let read = changes.marks.keys().copied();
    viewers
        .chain(read)
        .chain(lost)
        .map(Tag::notifications)
        .collect()
}
