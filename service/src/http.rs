//! The HTTP server with its limits, and the middleware around every request.

mod activity;
mod header_reader;
mod host;
mod layers;
mod listeners;
mod observed_reads;
mod request_metrics;
mod response_body;
mod server;
mod stalled_streams;
mod write_timeout;

pub use layers::{admin, standard};
pub use listeners::Listeners;
pub use server::serve;
