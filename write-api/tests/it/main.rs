//! write-api against a real PostgreSQL and a real nats-server. `TEST_DATABASE_URL` is the URL of a superuser, and
//! `NATS_SERVER_BIN` the server's binary; `deploy/test` sets both.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod audiences;
mod blocks;
mod guessing;
mod handles;
mod harness;
mod http;
mod idempotency;
mod identity;
mod import;
mod import_access;
mod import_accounts;
mod import_order;
mod links;
mod log_parts;
mod migrations;
mod password;
mod profile;
mod quotas;
mod relay;
mod session_client;
mod session_ends;
mod session_instances;
mod session_times;
mod sessions;
mod sign_up;
mod texts;
