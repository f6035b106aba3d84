//! Tests of the service crate with real sockets, and (in `database` and `nats`) with real servers: `TEST_DATABASE_URL`, a
//! PostgreSQL superuser, and `NATS_SERVER_BIN`, a nats-server binary.
#![allow(clippy::unwrap_used)]

mod connection_token;
mod cors;
mod database;
mod docs;
mod extract;
mod h2_frames;
mod headers;
mod health;
mod http;
mod issuer;
mod keep_alive;
mod listeners;
mod nats;
mod revocations;
mod shutdown;
mod slow_readers;
mod support;
mod telemetry;
mod tls;
mod tokens;
