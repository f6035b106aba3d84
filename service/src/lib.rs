//! What the three services share, so that they behave alike from outside.
//!
//! - [`config`]: the settings that all have, from flags or the environment.
//! - [`telemetry`]: logs, metrics and traces.
//! - [`http`]: the server and its limits; [`extract`] and [`problem`] are how a request that does not fit
//!   is answered.
//! - [`tokens`]: who is asking; [`secret_file`]: the keys that an installation makes for itself.
//! - [`health`]: whether the service is alive and ready.
//! - [`shutdown`]: its end, in two stages.
//! - [`database`] (with [`sql`]) and [`nats`]: connections that come back by themselves.

pub mod config;
pub mod database;
pub mod extract;
pub mod health;
pub mod http;
pub mod nats;
pub mod problem;
pub mod secret_file;
pub mod shutdown;
pub mod sql;
pub mod telemetry;
pub mod tokens;

pub use config::{HttpArgs, NatsArgs, TelemetryArgs};
pub use database::Database;
pub use health::Health;
pub use problem::{FieldError, Problem};
pub use shutdown::Shutdown;
pub use tokens::{Caller, Identity, Signer, TokenError, Verifier};
