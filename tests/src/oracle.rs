//! The oracle: the state in plain collections, every command as a plain change of it, and every read and every read
//! table by its definition. It shares nothing with the services.
//!
//! - `state`: the [`Oracle`] and its commands.
//! - `connections`, `blocks`, `audience_tags`: parts of the state.
//! - `visibility`: who sees which post.
//! - `events`: the state from the events of a log.
//! - `reads`: the answer of every read.
//! - [`tables`]: the rows of every read table.

mod audience_tags;
mod blocks;
mod connections;
mod events;
mod reads;
mod state;
pub mod tables;
mod visibility;

pub use connections::{RequestOutcome, StoredConnection};
pub use reads::{Period, time};
pub use state::{Account, Conversation, Message, Oracle, Post, Settings, who_may_message_code};
pub use visibility::{Thread, audience_code, audience_tags};
