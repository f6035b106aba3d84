//! Reads a list page by page to its end, and checks what the contract says of pages.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::http::Client;

/// A list with the items of all its pages.
pub struct Pages {
    pub items: Vec<Value>,
    /// The first page's body without items and cursor: fields beside the list, for example `unread_total`.
    pub first: Value,
}

impl Client {
    /// Every item of a list. `path` has neither `limit` nor `cursor`.
    pub async fn pages(&self, path: &str, limit: usize) -> Result<Pages> {
        let mut items: Vec<Value> = Vec::new();
        let mut first = None;
        let mut cursor: Option<String> = None;
        loop {
            let from = cursor
                .as_ref()
                .map(|cursor| format!("&cursor={cursor}"))
                .unwrap_or_default();
            let answer = self.get(&format!("{path}?limit={limit}{from}")).await;
            ensure!(
                answer.status == 200,
                "{path}?limit={limit}{from}: {answer:?}"
            );
            let mut body = answer.json();
            let page = body["items"].take();
            let page = page
                .as_array()
                .with_context(|| format!("{path}: no items in {}", answer.body))?;
            let next = body["next_cursor"].take();
            ensure!(
                page.len() <= limit,
                "{path}: {} items on a page of {limit}",
                page.len()
            );
            ensure!(
                next.is_null() || page.len() == limit,
                "{path}: a page of {} instead of {limit} that is not the last",
                page.len()
            );
            ensure!(
                next.is_null()
                    != answer
                        .header("link")
                        .is_some_and(|link| link.contains("rel=\"next\"")),
                "{path}: next_cursor is {next}, Link is {:?}",
                answer.header("link")
            );
            items.extend(page.iter().cloned());
            body.as_object_mut()
                .map(|body| (body.remove("items"), body.remove("next_cursor")));
            first.get_or_insert(body);
            match next {
                Value::Null => break,
                Value::String(next) => {
                    ensure!(
                        cursor.as_ref() != Some(&next),
                        "{path}: the cursor does not advance"
                    );
                    cursor = Some(next);
                }
                other => anyhow::bail!("{path}: the cursor is not a string: {other}"),
            }
        }
        Ok(Pages {
            items,
            first: first.unwrap_or_default(),
        })
    }
}
