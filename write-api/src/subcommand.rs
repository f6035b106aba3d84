//! The subcommands of `write-api`, each in a file.

mod account;
mod backup_finished;
mod finish_restore;
mod import;
mod log;
mod migrate;
mod serve;
mod token;

pub use account::account;
pub use backup_finished::backup_finished;
pub use finish_restore::finish_restore;
pub use import::import;
pub use log::log;
pub use migrate::migrate;
pub use serve::{Server, serve};
pub use token::token;
