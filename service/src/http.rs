//! The HTTP server with its limits, and the middleware around every request.

mod activity;
mod client_stream;
mod cors;
pub mod docs;
pub mod etag;
mod header_reader;
mod host;
mod layers;
mod listeners;
pub mod performance;
mod request_metrics;
mod response_body;
mod server;
mod stalled_streams;
pub mod timing;
mod tls;
mod write_timeout;

pub(crate) use cors::origin;
pub use layers::{Pages, admin, standard};
pub use listeners::Listeners;
pub use server::serve;
pub use tls::TlsArgs;
