//! The subcommands of `write-api`, one a file.

mod import;
mod migrate;
mod serve;
mod token;

pub use import::import;
pub use migrate::migrate;
pub use serve::{Server, serve};
pub use token::token;

/// Who connects to PostgreSQL, as its `pg_stat_activity` shows it.
const APPLICATION: &str = "feedmill-write-api";
