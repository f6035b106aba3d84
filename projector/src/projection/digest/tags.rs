//! Whose answers a batch changes.

use feedmill_events::Tag;

use super::fold::{Changes, Day};

/// Of changes that the statements have completed.
pub fn of(changes: &Changes) -> Vec<Tag> {
    let days = changes.days.iter();
    days.filter(|(_, day)| **day != Day::default())
        .map(|((viewer, _), _)| Tag::digest(*viewer))
        .collect()
}
