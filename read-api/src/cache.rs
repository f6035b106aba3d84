//! What is cached in memory. Every entry is checked against the tag versions when it is used (`freshness`).
//!
//! - [`store`]: the one bounded store, with the freshness check.
//! - [`answers`]: whole answers; [`single_flight`] shares loads of one key, [`answer`] and [`encoding`] make the bytes.
//! - [`caches`]: all of them, for operators.
//! - [`posts`], [`feeds`]: parts that a feed or a digest is assembled from, if the whole answer is not cached.
//! - [`scores`]: what the top posts of a digest are chosen by.

pub mod answer;
pub mod answers;
pub mod caches;
pub mod encoding;
pub mod feeds;
pub mod metrics;
pub mod posts;
pub mod scores;
mod single_flight;
pub mod store;
