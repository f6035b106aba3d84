//! The subcommands of `write-api`, each in a file.

mod account;
mod import;
mod invalidate_positions;
mod migrate;
mod serve;
mod token;

pub use account::account;
pub use import::import;
pub use invalidate_positions::invalidate_positions;
pub use migrate::migrate;
pub use serve::{Server, serve};
pub use token::token;
