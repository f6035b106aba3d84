//! Feedmill, from outside: real servers, a plain model of what they must answer, and the comparison.
//!
//! - [`harness`]: a whole Feedmill of one's own, as processes.
//! - [`token`]: good and bad tokens.
//! - [`client`]: both APIs over HTTP.
//! - [`live`]: a client of live updates.
//! - [`model`]: what every read must answer, by its definition.
//! - [`compare`]: every read of a stack against the model.
//! - [`log`]: the event log, as it stands in the database.
//! - [`stream`]: the JetStream stream, against the log.
//! - [`proxy`]: what can go wrong between two servers.
//! - [`torture`]: everything goes wrong, under load, and nothing may be lost.
//! - [`property`]: random commands against stack and model.
//! - [`community`]: import records, made up or from a file, against model or expected answers.

pub mod client;
pub mod community;
pub mod compare;
pub mod harness;
pub mod live;
pub mod log;
pub mod model;
pub mod property;
pub mod proxy;
pub mod stream;
pub mod token;
pub mod torture;
