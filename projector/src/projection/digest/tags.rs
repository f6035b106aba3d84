//! The cache tags of what a batch changes.

use feedmill_events::Tag;

use super::fold::{Changes, Day};

/// Takes the changes after the statements have completed them.
pub fn of(changes: &Changes) -> Vec<Tag> {
    let days = changes.days.iter();
    days.filter(|(_, day)| **day != Day::default())
        .map(|((viewer, _), _)| Tag::digest(*viewer))
        .collect()
}
