//! Bare axum and bare sqlx: the upper bound that this machine and the libraries set.

mod pool;
mod reads;
mod server;
mod tasks;
mod writes;

pub use pool::pool;
pub use reads::{Reads, reads};
pub use server::serve;
pub use writes::writes;
