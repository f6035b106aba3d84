//! The write side: commands over HTTP become events in the log, and the relay publishes the log to JetStream.
//!
//! - [`subcommand`] and [`config`]: what the binary does, and its settings.
//! - [`router`] and [`http`]: the routes and their handlers, with their description; [`app`] is the state of the handlers.
//! - [`lane`]: group commit of the commands that arrive together.
//! - [`import`]: an existing community, through the same decisions.
//! - [`batch`]: commands that are decided in order in one transaction.
//! - [`domain`]: the nouns, each with its commands, decisions, state and SQL.
//! - [`relay`]: the log to JetStream; [`commit_notifier`] tells it of commits.
//! - [`session`]: passwords and refresh tokens.
//! - [`secrets`]: keys that are shared with the other services.
//! - [`quota`]: how many commands a [`client`] may give; [`rate_limit`] counts them.
//! - [`metrics`]: what each metric means.
//! - [`log`] and [`idempotency`]: their tables; [`housekeeping`] deletes what has expired.

pub mod app;
pub mod batch;
pub mod client;
pub mod commit_notifier;
pub mod config;
pub mod domain;
pub mod housekeeping;
pub mod http;
pub mod idempotency;
pub mod import;
pub mod lane;
pub mod log;
pub mod metrics;
mod openapi;
pub mod quota;
pub mod rate_limit;
pub mod relay;
pub mod router;
pub mod secrets;
pub mod session;
pub mod subcommand;
