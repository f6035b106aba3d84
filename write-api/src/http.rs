//! HTTP: a handler extracts and parses the request, submits a command, and responds. One file for each noun; [`links`] has
//! the handlers of all kinds of links.
//!
//! - [`request`]: bodies, idempotency keys, and fields that become domain types.
//! - [`patch`]: members of a `PATCH`, of which `null` and an absent one differ.
//! - [`response`]: responses with their position.
//! - [`problem`]: every error, as a problem document.

pub mod accounts;
pub mod audience;
pub mod blocks;
pub mod connections;
pub mod conversations;
pub mod ended_sessions;
pub mod keys;
pub mod links;
pub mod marks;
pub mod me;
pub mod members;
pub mod messages;
pub mod password;
pub mod posts;
pub mod sessions;
pub mod tags;

mod patch;
pub mod problem;
mod request;
mod response;
