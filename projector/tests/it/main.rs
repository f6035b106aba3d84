//! Needs real servers: `TEST_DATABASE_URL`, a PostgreSQL superuser (each test creates its own database), and
//! `NATS_SERVER_BIN`, a nats-server binary (each test that needs one starts its own).

#![expect(
    clippy::unwrap_used,
    reason = "clippy knows test functions, but not their helpers"
)]

mod definitions;
mod fanout;
mod history;
mod indexes;
mod interference;
mod log;
mod operators;
mod poison;
mod rebuild;
mod scale;
mod schema;
mod stream;
mod support;
mod tags;
