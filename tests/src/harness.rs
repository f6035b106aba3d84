//! A whole Feedmill of one's own: a database, a nats-server and the three services as real processes.
//!
//! [`World`] starts and ends them; [`Stack`] is what a client needs to know, of a world or of a stack that
//! somebody else runs.

mod database;
mod links;
mod port;
mod postgres;
mod process;
mod settings;
mod stack;
mod world;

pub use database::Database;
pub use links::Links;
pub use postgres::Postgres;
pub use process::{Process, run, signal};
pub use settings::{service, setting};
pub use stack::{Stack, services_memory};
pub use world::{Plan, World};
