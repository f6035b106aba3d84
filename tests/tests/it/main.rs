//! End-to-end tests. Each has a stack of its own.

mod access;
mod bad_input;
mod browser;
mod cache;
mod clients;
mod concurrency;
mod fanout;
mod faults;
mod grants;
mod groups;
mod help;
mod idempotency;
mod import;
mod import_order;
mod kit;
mod leaks;
mod mutations;
mod nats_access;
mod positions;
mod property;
mod scene;
mod schemathesis;
mod session_ends;
mod sessions;
mod statements;
mod stream;
