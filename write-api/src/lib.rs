//! The write side: commands over HTTP become events in the log, and the log is copied to JetStream.
//!
//! - [`router`] and [`http`]: every route, and its handlers; [`state`] is what they have, [`error`] what
//!   they answer when a command is not accepted.
//! - [`domain`]: texts, commands, the state that decisions need, and the decisions; pure.
//! - [`lane`]: commands that arrive together share a transaction.
//! - [`batch`]: many commands in one transaction.
//! - [`store`]: that state and the log in PostgreSQL, set-based.
//! - [`relay`]: the log to JetStream; [`appended`] tells it that there is more.
//! - [`session`]: passwords and refresh tokens.
//! - [`import`]: an existing community, through the same decisions.
//! - [`command`] and [`config`]: what the binary can do, and its settings; [`housekeeping`] is what it does by
//!   itself.

pub mod appended;
pub mod batch;
pub mod command;
pub mod config;
pub mod domain;
pub mod error;
pub mod housekeeping;
pub mod http;
pub mod import;
pub mod lane;
pub mod relay;
pub mod router;
pub mod session;
pub mod state;
pub mod store;
