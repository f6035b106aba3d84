//! The HTTP server with its limits, and the middleware around every request.

mod in_flight;
mod layers;
mod request_metrics;
mod server;
mod write_timeout;

pub use layers::standard;
pub use server::serve;
