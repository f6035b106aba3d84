//! Feedmill from outside. Each file has a world of its own.

mod access;
mod bad_input;
mod cache;
mod community;
mod concurrency;
mod fanout;
mod faults;
mod idempotency;
mod one_statement;
mod property;
mod scene;
mod sessions;
mod stream;
mod teeth;
