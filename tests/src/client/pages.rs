//! Reads a list page by page to its end and back, and checks what the contract says of pages.

use anyhow::{Context, Result, ensure};
use reqwest::StatusCode;
use serde_json::Value;

use super::http::Client;

/// How many pages are read back from the last one.
const MAX_PAGES_BACK: usize = 4;

/// A list with the items of all its pages.
pub struct Pages {
    pub items: Vec<Value>,
    /// The first page's body without items and cursors: fields beside the list, for example `unread_total`.
    pub first: Value,
}

struct Page {
    items: Vec<Value>,
    next: Option<String>,
    prev: Option<String>,
    /// Whether `Link` leads back.
    leads_back: bool,
    /// The body without items and cursors.
    rest: Value,
}

impl Client {
    /// Every item of a list that may change meanwhile. The pages are not checked.
    pub async fn items(&self, path: &str) -> Result<Vec<Value>> {
        let (mut items, mut next) = (Vec::new(), format!("{path}?limit=100"));
        loop {
            let answer = self.get(&next).await;
            ensure!(answer.status == StatusCode::OK, "{answer:?}");
            let page = answer.json();
            items.extend(page["items"].as_array().into_iter().flatten().cloned());
            let Some(cursor) = page["next_cursor"].as_str() else {
                return Ok(items);
            };
            next = format!("{path}?limit=100&cursor={cursor}");
        }
    }

    /// Every item of a list. `path` has neither `limit` nor `cursor`.
    pub async fn pages(&self, path: &str, limit: usize) -> Result<Pages> {
        let mut items: Vec<Value> = Vec::new();
        let mut first = None;
        let mut cursor: Option<String> = None;
        loop {
            let page = self.page(path, limit, cursor.as_deref()).await?;
            ensure!(
                page.next.is_none() || page.items.len() == limit,
                "{path}: a page of {} instead of {limit} that is not the last",
                page.items.len()
            );
            ensure!(
                page.leads_back == cursor.is_some(),
                "{path}: Link leads back from the first page, or not from another one"
            );
            let before = items.len();
            items.extend(page.items);
            first.get_or_insert(page.rest);
            if page.next.is_none() {
                self.check_back(path, limit, page.prev, &items[..before])
                    .await?;
                break;
            }
            ensure!(cursor != page.next, "{path}: the cursor does not advance");
            cursor = page.next;
        }
        Ok(Pages {
            items,
            first: first.unwrap_or_default(),
        })
    }

    /// The pages before the last one are read backwards: `items` are all of them.
    async fn check_back(
        &self,
        path: &str,
        limit: usize,
        mut cursor: Option<String>,
        mut items: &[Value],
    ) -> Result<()> {
        for _ in 0..MAX_PAGES_BACK {
            let Some(from) = cursor else {
                ensure!(items.is_empty(), "{path}: no cursor leads back");
                return Ok(());
            };
            let page = self.page(path, limit, Some(&from)).await?;
            let (earlier, expected) = items.split_at(items.len().saturating_sub(limit));
            ensure!(
                page.items == expected,
                "{path}: back from {from}: {:?} instead of {expected:?}",
                page.items
            );
            ensure!(
                page.leads_back != earlier.is_empty() && page.next.is_none() == expected.is_empty(),
                "{path}: wrong links of the page back from {from}"
            );
            if expected.is_empty() {
                return Ok(());
            }
            (items, cursor) = (earlier, page.prev);
        }
        Ok(())
    }

    async fn page(&self, path: &str, limit: usize, cursor: Option<&str>) -> Result<Page> {
        let from = cursor.map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
        let first = format!("{path}{}limit={limit}", separator(path));
        let path = format!("{first}{from}");
        let answer = self.get(&path).await;
        ensure!(answer.status == 200, "{path}: {answer:?}");
        let mut rest = answer.json();
        let mut take = |name: &str| {
            let body = rest.as_object_mut();
            let taken = body.and_then(|body| body.remove(name));
            taken.with_context(|| format!("{path}: no {name} in {}", answer.body))
        };
        let Value::Array(items) = take("items")? else {
            anyhow::bail!("{path}: items are not a list");
        };
        ensure!(
            items.len() <= limit,
            "{path}: {} items on a page of {limit}",
            items.len()
        );
        let next = take("next_cursor")?.as_str().map(str::to_owned);
        let prev = take("prev_cursor")?.as_str().map(str::to_owned);
        ensure!(
            prev.is_some() || items.is_empty(),
            "{path}: a page with items without a cursor back"
        );
        let link = answer.header("link").unwrap_or_default();
        let has = |rel: &str, cursor: Option<&str>| {
            let cursor = cursor.map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
            link.contains(&format!("<{first}{cursor}>; rel=\"{rel}\""))
        };
        let leads_back = link.contains("rel=\"prev\"");
        ensure!(
            has("first", None)
                && has("next", next.as_deref()) == next.is_some()
                && link.contains("rel=\"next\"") == next.is_some()
                && (!leads_back || has("prev", prev.as_deref())),
            "{path}: next_cursor is {next:?}, prev_cursor {prev:?}, Link {link}"
        );
        Ok(Page {
            items,
            next,
            prev,
            leads_back,
            rest,
        })
    }
}

/// What separates another parameter from a path that may have some.
fn separator(path: &str) -> char {
    if path.contains('?') { '&' } else { '?' }
}
