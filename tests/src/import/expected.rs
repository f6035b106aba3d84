//! The answers in an `expected.json`, compared with those over HTTP. It was computed with plain loops over the same
//! records, and calls things by their names in the records. There are two formats:
//!
//! - `community`: feeds, digests, inboxes and counts.
//! - `audiences`: who sees what; it has a list `sees`.

mod audiences;
mod community;

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Value, json};

use super::Names;
use crate::{client::Client, kit::Target};

/// An answer that is not the expected one.
#[derive(Debug)]
pub struct Difference {
    pub whose: String,
    pub what: &'static str,
    pub how: String,
}

/// How often each kind of answer was compared, and the differences.
pub type Compared = (BTreeMap<&'static str, usize>, Vec<Difference>);

struct Checker<'a> {
    names: &'a Names,
    counts: BTreeMap<&'static str, usize>,
    differences: Vec<Difference>,
}

impl Checker<'_> {
    fn compare(&mut self, whose: &str, what: &'static str, expected: &Value, actual: &Value) {
        *self.counts.entry(what).or_default() += 1;
        if expected != actual {
            let how = format!("expected {expected}, answered {actual}");
            self.differences.push(Difference {
                whose: whose.to_owned(),
                what,
                how,
            });
        }
    }

    /// Its length, its first 60 posts and its last 20.
    async fn compare_feed(&mut self, user: &str, client: &Client, answers: &Value) -> Result<()> {
        let feed = client.pages("/v1/feed", 100).await?.items;
        let first = self.names_of(&feed[..feed.len().min(60)]);
        let last = self.names_of(&feed[feed.len().saturating_sub(20)..]);
        for (what, actual) in [
            ("feed_length", json!(feed.len())),
            ("feed_first_60", first),
            ("feed_last_20", last),
        ] {
            self.compare(user, what, &answers[what], &actual);
        }
        Ok(())
    }

    fn names_of(&self, items: &[Value]) -> Value {
        items
            .iter()
            .map(|item| self.names.name(item["id"].as_str().unwrap_or("?")))
            .collect()
    }
}

/// Compares every answer. The projector must have caught up.
pub async fn compare_expected(
    target: &Target,
    expected: &Value,
    names: &Names,
) -> Result<Compared> {
    let mut checker = Checker {
        names,
        counts: BTreeMap::new(),
        differences: Vec::new(),
    };
    if expected["sees"].is_array() {
        audiences::compare(target, &mut checker, expected).await?;
    } else {
        community::compare(target, &mut checker, expected).await?;
    }
    Ok((checker.counts, checker.differences))
}
