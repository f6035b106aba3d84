//! The projector: grinds the log into tables that are shaped like the answers.
//!
//! One task a projection ([`worker`]). It hears of new events from JetStream ([`consumer`]), reads what it
//! has missed from PostgreSQL, the source of truth ([`log`]), and applies what continues its checkpoint
//! ([`checkpoint`]) in one transaction a batch ([`batch`], [`projection`]).
//!
//! - [`announce`]: tells those who keep answers what changed.
//! - [`command`]: what an operator can ask for.
//! - [`config`]: flags and environment.
//! - [`error`]: what can go wrong with a batch, and what is done about it.
//! - [`schema`]: makes the schemas and says who may read them.
//! - [`history`]: the log's events for people to read.
//! - [`rebuild`]: makes a projection's tables anew beside the live ones, compares, and swaps them.
//! - [`instance`]: this process among the others, and which partitions are its own.
//! - [`relay`]: how far the stream is behind the log.
//! - [`lag`], [`metrics`]: how far a projection is behind.

pub mod announce;
pub mod batch;
pub mod checkpoint;
pub mod command;
pub mod config;
pub mod consumer;
pub mod error;
pub mod history;
pub mod instance;
pub mod lag;
pub mod log;
pub mod metrics;
pub mod projection;
pub mod rebuild;
pub mod relay;
pub mod run;
pub mod schema;
pub mod store;
pub mod worker;

pub use config::Config;
pub use run::run;
