//! The subcommands of `write-api`, each in a file.

mod account;
mod forget_positions;
mod import;
mod migrate;
mod serve;
mod token;

pub use account::account;
pub use forget_positions::forget_positions;
pub use import::import;
pub use migrate::migrate;
pub use serve::{Server, serve};
pub use token::token;
