//! The test kit of every crate, and the end-to-end tests: real servers, an oracle of what they must answer, and the
//! comparison.
//!
//! - [`kit`]: databases, servers, processes, proxies, and whole Feedmills of a test's own.
//! - [`client`]: both APIs over HTTP; [`token`]: valid and invalid access tokens.
//! - [`endpoints`]: the table of all endpoints.
//! - [`openapi`]: the description of the API, which every answer is compared with.
//! - [`link`]: the kinds of links.
//! - [`oracle`]: the answer of every read and the rows of every read table, by their definitions.
//! - [`compare`]: every read of a running Feedmill, compared with the oracle.
//! - [`log`], [`jetstream`]: the event log in the database, and the stream of it in NATS.
//! - [`feed_copy`]: a client's copy of a feed, kept up to date by a stream.
//! - [`property`]: random commands against a running Feedmill and the oracle.
//! - [`import`]: import records, generated or from a file, compared with the oracle or expected answers.
//! - [`torture`]: random faults under load.

pub mod client;
pub mod compare;
pub mod endpoints;
pub mod feed_copy;
pub mod import;
pub mod jetstream;
pub mod kit;
pub mod leaks;
pub mod link;
pub mod log;
pub mod openapi;
pub mod oracle;
pub mod property;
pub mod token;
pub mod torture;
