//! The nouns. The module of a noun has its commands, the rows that they read, the decisions, the
//! state and, in its `sql`, the storage. Decisions do no I/O and read no clock: time and randomness are arguments.
//!
//! - [`command`]: all commands; [`decision`]: their results; [`stored_outcome`]: what idempotency stores of them.
//! - [`account`], [`post`], [`audience`], [`link`], [`connection`], [`block`], [`tag`], [`conversation`], [`mark`]: the nouns.
//! - [`state`]: the rows that a batch works on; [`storage`] loads and saves them; [`table`] is one of its tables.
//! - [`text`]: checked texts; [`clock`]: time and randomness.

pub mod account;
pub mod audience;
pub mod block;
pub mod clock;
pub mod command;
pub mod connection;
pub mod conversation;
pub mod decision;
pub mod link;
pub mod mark;
pub mod post;
pub mod state;
pub mod storage;
pub mod stored_outcome;
pub mod table;
pub mod tag;
pub mod text;

#[cfg(test)]
mod scenario;

pub use account::{AccountChange, AccountCommand, Settings};
pub use audience::ShownAudience;
pub use block::BlockCommand;
pub use clock::{Clock, Moment};
pub use command::Command;
pub use connection::{ConnectionCommand, ConnectionState};
pub use conversation::ConversationCommand;
pub use decision::{AccountSummary, Outcome, Rejection, Resource};
pub use link::{
    LinkCommand,
    kind::{LinkAction, LinkKind},
};
pub use mark::{MarkCommand, MarkedList};
pub use post::PostCommand;
pub use state::State;
pub use stored_outcome::StoredOutcome;
pub use tag::{TagCommand, TagLimits};
pub use text::{
    Bio, ChosenHandle, DeviceName, DisplayName, GivenPassword, Handle, MessageText, Password,
    PostText, TagName, TextError, Title,
};
