//! Every read by its definition. Lists are whole and in order, with the items as pages have them.

mod accounts;
mod conversations;
mod digest;
mod notifications;
mod posts;
mod tags;

use std::cmp::Reverse;

use chrono::{DateTime, SecondsFormat, Utc};
use uuid::Uuid;

pub use digest::Period;

/// RFC 3339 in UTC, with milliseconds.
pub fn time(millis: i64) -> String {
    let time: DateTime<Utc> = DateTime::from_timestamp_millis(millis).expect("a time");
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The later link first; of two at the same time, the one with the greater id.
fn latest_first(links: impl Iterator<Item = (Uuid, i64)>) -> Vec<(Uuid, i64)> {
    let mut links: Vec<_> = links.collect();
    links.sort_unstable_by_key(|(id, at)| Reverse((*at, *id)));
    links
}
