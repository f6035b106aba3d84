//! The projector: computes the read models from the event log.
//!
//! One task per projection ([`worker`]) receives new events from JetStream ([`consumer`]), reads events that it missed
//! from PostgreSQL, the source of truth ([`log`]), and applies those that continue its checkpoint ([`checkpoint`]), one
//! transaction per batch ([`batch`], [`projection`]).
//!
//! - [`cli`], [`config`]: the command line; flags and environment variables.
//! - [`run`]: starts the workers and what they share.
//! - [`command`]: the operator's subcommands.
//! - [`console`]: the operator's pages.
//! - [`audit`]: the log of what operators did.
//! - [`rebuild`]: fills a projection's tables anew beside the live ones, compares the two, and cuts over.
//! - [`instance`]: which partitions this process owns among all running ones.
//! - [`stream_message`]: which messages of the stream are the relay's.
//! - [`announce`]: tells caches what changed.
//! - [`history`]: the log's events in a form for people; [`effects`]: what one of them did to the read models.
//! - [`schema`], [`migrations`]: create the schemas of the read models.
//! - [`connection`]: connections to PostgreSQL.
//! - [`secrets`]: keys that are shared with the other services.
//! - [`lag`], [`stream_lag`], [`metrics`]: how far projections and the stream are behind the log.
//! - [`backups`]: when PostgreSQL was last backed up.
//! - [`totals`]: how many accounts, connections and posts there are.
//! - [`error`]: why a batch was not applied, and what to do then.

pub mod announce;
pub mod audit;
mod backups;
pub mod batch;
pub mod checkpoint;
pub mod cli;
pub mod command;
pub mod config;
pub mod connection;
pub mod console;
pub mod consumer;
pub mod effects;
pub mod error;
pub mod history;
pub mod instance;
pub mod lag;
pub mod log;
pub mod metrics;
pub mod migrations;
pub mod projection;
pub mod rebuild;
pub mod run;
pub mod schema;
pub mod secrets;
pub mod stream_lag;
pub mod stream_message;
mod totals;
pub mod worker;

pub use cli::Cli;
pub use run::run;
