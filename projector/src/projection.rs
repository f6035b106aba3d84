//! The projections: read models that are computed from the log.
//!
//! A projection has a name, tables, a list of event types and a function that applies a batch of such events. It folds
//! the batch in memory, in the log's order, to its net changes (`fold.rs`), applies these with a fixed sequence of
//! set-based statements whose number does not depend on the size of the batch (`sql.rs`), and computes from the same
//! changes the cache tags of the responses that are now different (`tags.rs`). What all projections do with links (likes,
//! follows, bookmarks) is in [`links`].
//!
//! A projection reads no clock and no other projection's tables. Its statements name no schema: the connection's
//! `search_path` selects one, so that a rebuild fills another schema with the same code.

mod audience_number;
pub mod conversations;
mod definition;
pub mod digest;
mod event_time;
pub mod feed;
mod links;
mod net;
pub mod notifications;
pub mod profiles;
mod relevance;
#[cfg(test)]
mod test_batches;
mod totals;

use feedmill_events::Projection;

pub use self::definition::{Apply, Context, Definition, Derived, Rebuild};

/// The definition of every projection of the registry, in the registry's order.
pub static ALL: [&Definition; Projection::ALL.len()] = {
    let mut all = [definition(Projection::ALL[0]); Projection::ALL.len()];
    let mut index = 1;
    while index < all.len() {
        all[index] = definition(Projection::ALL[index]);
        index += 1;
    }
    all
};

/// The definition of a projection. A projection of the registry without one does not compile.
pub const fn definition(projection: Projection) -> &'static Definition {
    match projection {
        Projection::Profiles => &profiles::DEFINITION,
        Projection::Feed => &feed::DEFINITION,
        Projection::Digest => &digest::DEFINITION,
        Projection::Conversations => &conversations::DEFINITION,
        Projection::Notifications => &notifications::DEFINITION,
    }
}

/// The definition of the projection with this name. Errors: an unknown name, with the list of those that exist.
pub fn by_name(name: &str) -> Result<&'static Definition, String> {
    let projection = name.parse::<Projection>().map_err(|e| e.to_string())?;
    Ok(definition(projection))
}
