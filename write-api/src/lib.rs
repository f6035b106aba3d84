//! The write side: commands over HTTP become events in the log.
//!
//! - [`domain`]: texts, commands, the state that decisions need, and the decisions; pure.
//! - [`store`]: that state and the log in PostgreSQL, set-based.
//! - [`batch`]: many commands in one transaction.
//! - [`lane`]: commands that arrive together share a transaction.
//! - [`import`]: an existing community, through the same decisions.

pub mod batch;
pub mod domain;
pub mod import;
pub mod lane;
pub mod store;
