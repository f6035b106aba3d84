//! The service crate against real sockets, and (in `sql`) a real PostgreSQL.
#![allow(clippy::unwrap_used)]

mod extract;
mod health;
mod http;
mod nats;
#[path = "../../../tests/src/harness/port.rs"]
mod port;
mod shutdown;
mod silent;
mod sql;
mod support;
mod telemetry;
mod tokens;
