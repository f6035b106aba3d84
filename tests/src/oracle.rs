//! The oracle: the state in plain collections, every command as a plain change of it, and every read and every read
//! table by its definition. It shares nothing with the services.
//!
//! - `state`: the [`Oracle`] and its commands.
//! - `connections`, `audience_tags`: parts of the state.
//! - `events`: the state from the events of a log.
//! - `reads`: the answer of every read.
//! - [`tables`]: the rows of every read table.

mod audience_tags;
mod connections;
mod events;
mod reads;
mod state;
pub mod tables;

pub use connections::{RequestOutcome, StoredConnection};
pub use reads::{Period, time};
pub use state::{Account, Conversation, Message, Oracle, Post};
