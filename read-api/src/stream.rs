//! Live updates: server-sent events with the new items of a viewer's lists.
//!
//! A stream depends on cache tags, as a cached answer does. One task checks the tags of all open streams after each
//! change and wakes the streams that it may concern ([`registry`]). Each of them ([`live`]) reads its new items
//! (`reader`), a few streams at a time, so that a post to thousands of streams leaves connections to requests. What a
//! client already has (`watermarks`) is in the id of every event (`event_id`). A follow or like that is undone and made
//! again is sent once on a connection (`told`). A stream remembers the newest posts of the feed (`visible`), to tell its client when one
//! is edited, or gone: deleted, or no longer for this viewer.

mod event;
mod event_id;
mod items;
pub mod live;
mod reader;
pub mod registry;
mod sender;
mod told;
mod visible;
mod watermarks;

pub use event::StreamEvent;
