//! write-api against a real PostgreSQL and a real nats-server. `TEST_DATABASE_URL` is a superuser's, and
//! `NATS_SERVER_BIN` the server's binary; `deploy/test` sets both.

#![expect(
    clippy::unwrap_used,
    reason = "what a test cannot do without, it may panic without"
)]

mod harness;
mod http;
mod idempotency;
mod identity;
#[path = "../../../tests/src/harness/port.rs"]
mod port;
mod relay;
mod sessions;
