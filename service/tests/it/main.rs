//! The service crate against real sockets, and (in `database`) a real PostgreSQL.
#![allow(clippy::unwrap_used)]

mod database;
mod extract;
mod health;
mod http;
mod nats;
#[path = "../../../tests/src/harness/port.rs"]
mod port;
mod shutdown;
mod silent;
mod support;
mod telemetry;
mod tokens;
