//! The read API over HTTP, on a real PostgreSQL server whose read tables the tests fill.
//!
//! Needs `TEST_DATABASE_URL`, a server on which databases and roles may be created; each test creates its own database.
//! Needs `NATS_SERVER_BIN`, the path of a nats-server.
#![allow(clippy::unwrap_used)]

mod access;
mod app;
mod audience_tags;
mod audiences;
mod blocks;
mod cache;
mod connections;
mod conversations;
mod counts;
mod digest;
mod feed;
mod feed_marks;
mod fragments;
mod likes;
mod nats;
mod newcomer;
mod notifications;
mod own_posts;
mod page;
mod position;
mod posts;
mod responses;
mod sessions;
mod statements;
mod stream;
mod users;
