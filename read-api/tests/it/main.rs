//! The read API over HTTP, against a real PostgreSQL whose read tables the tests fill themselves.
//!
//! Needs `TEST_DATABASE_URL`: a server on which databases and roles may be made. Each test has its own.
#![allow(clippy::unwrap_used)]

mod access;
mod app;
mod cache;
mod coding;
mod conversation;
mod digest;
mod feed;
#[path = "../../../tests/src/live.rs"]
mod live;
mod nats;
mod notification;
mod page;
#[path = "../../../tests/src/harness/port.rs"]
mod port;
mod position;
mod post;
mod posts;
mod statements;
mod stream;
mod user;
