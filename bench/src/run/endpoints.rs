//! The reads that the latency rows measure.

use crate::data;

pub const FEED: &str = "/v1/feed?limit=20";
pub const INBOX: &str = "/v1/conversations";

pub fn digest() -> String {
    format!("/v1/digest?period=week&date={}", data::DIGEST_DATE)
}
