//! write-api against a real PostgreSQL and a real nats-server. `TEST_DATABASE_URL` is a superuser's, and
//! `NATS_SERVER_BIN` the server's binary; `deploy/test` sets both.

mod harness;
mod http;
mod identity;
mod idempotency;
mod relay;
mod sessions;
