//! The HTTP server: its limits, and what surrounds every request.

mod layers;
mod open;
mod patience;
mod series;
mod server;

pub use layers::standard;
pub use server::serve;
