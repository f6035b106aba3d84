//! Tests of the service crate with real sockets and (in `database`) a real PostgreSQL.
#![allow(clippy::unwrap_used)]

mod connection_token;
mod database;
mod extract;
mod health;
mod http;
mod issuer;
mod nats;
#[path = "../../../tests/src/kit/port.rs"]
mod port;
mod shutdown;
mod support;
mod telemetry;
mod tokens;
mod unresponsive;
