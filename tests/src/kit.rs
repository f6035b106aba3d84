//! The test kit of every crate: real servers, real processes, and ways to break them.
//!
//! Whatever a test takes from here is removed when the value is dropped, also when the test panics.
//!
//! | value | what it is |
//! |---|---|
//! | [`Database`] | a database on the server of `TEST_DATABASE_URL`, with chosen migrations |
//! | [`Postgres`] | a PostgreSQL server that may be killed, stopped or paused |
//! | [`Nats`] | a nats-server, with or without JetStream, that may be killed, restarted or wiped |
//! | [`Browser`] | Chromium with its driver, and pages for it on an origin of their own |
//! | [`Backups`] | backups of a PostgreSQL server |
//! | [`Certificates`] | a certificate authority, and a certificate of this machine |
//! | [`Image`] | a container image of `deploy/image`, and containers of it |
//! | [`Prometheus`] | a Prometheus server that scrapes a stack |
//! | [`Proxy`] | a TCP proxy that delays, cuts or silences its connections |
//! | [`Process`] | a child process with a log file; [`service`] is a binary of the workspace |
//! | [`TempFolder`], [`unused_port`], [`wait_until`], [`setting`] | small helpers |
//! | [`Stack`] | a whole Feedmill: database, NATS and the three services |
//! | [`event_key`], [`announcement_key`], [`position_key`] | the secrets of a [`Database`] |
//! | [`Target`] | addresses, database and key of a running Feedmill, whoever started it |
//!

mod backup;
mod binary;
mod browser;
mod certificates;
mod container;
mod database;
mod folder;
mod memory;
mod nats;
mod port;
mod postgres;
mod process;
mod prometheus;
mod proxy;
mod routes;
mod samples;
mod schema;
mod secrets;
mod settings;
mod stack;
mod statements;
mod target;
mod wait;

pub use backup::Backups;
pub use binary::service;
pub use browser::{Browser, page};
pub use certificates::Certificates;
pub use container::{Image, first_process, is_root};
pub use database::{Database, Role};
pub use folder::TempFolder;
pub use memory::{peak_memory, resident_memory, services_memory};
pub use nats::{Nats, connect as connect_nats};
pub use port::unused as unused_port;
pub use postgres::Postgres;
pub use process::{Process, run, run_measured, signal};
pub use prometheus::{Prometheus, promtool};
pub use proxy::{Mode, Proxy};
pub use routes::Routes;
pub use samples::{Sample, samples, sum};
pub use secrets::{announcement_key, event_key, position_key, position_key_of};
pub use settings::setting;
pub use stack::{Stack, StackConfig};
pub use statements::{reset_statement_counts, statement_counts};
pub use target::Target;
pub use wait::{wait_until, wait_until_within};
