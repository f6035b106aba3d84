//! The subcommands of `write-api`, each in a file.

mod import;
mod migrate;
mod serve;
mod token;

pub use import::import;
pub use migrate::migrate;
pub use serve::{Server, serve};
pub use token::token;
