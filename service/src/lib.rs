//! The common parts of the three services.
//!
//! - [`config`]: the common settings, from flags or environment variables.
//! - [`telemetry`]: logs, metrics and traces.
//! - [`http`]: the server with its limits and middleware.
//! - [`extract`]: extractors; [`problem`]: error responses; [`openapi`]: the API description.
//! - [`text`]: the rules of texts, names and handles.
//! - [`tokens`]: the caller of a request; [`secret_file`]: keys that an installation creates for itself.
//! - [`client_address`]: the address of the client, behind proxies too.
//! - [`bounded_cache`]: a cache with a maximum size in bytes.
//! - [`metrics`]: what each metric means.
//! - [`health`]: liveness and readiness.
//! - [`slow`]: what counts as slow.
//! - [`shutdown`]: shutting down in two stages.
//! - [`secrets`]: what the services share in the database.
//! - [`database`] (with [`sql`]) and [`nats`]: connections that are reopened when they fail.

pub mod bounded_cache;
pub mod client_address;
pub mod config;
pub mod database;
pub mod extract;
pub mod health;
pub mod http;
pub mod metrics;
pub mod nats;
pub mod openapi;
pub mod problem;
pub mod secret_file;
pub mod secrets;
pub mod shutdown;
pub mod slow;
pub mod sql;
pub mod telemetry;
pub mod text;
pub mod tokens;

pub use config::{HttpArgs, NatsArgs, TelemetryArgs};
pub use database::Database;
pub use health::Health;
pub use problem::{FieldError, Problem};
pub use shutdown::Shutdown;
pub use tokens::{Caller, Identity, Signer, TokenError, Verifier};
