//! Checks that both sides give the same answers: otherwise a comparison means nothing.

use anyhow::{Context, Result, ensure};
use rand::rngs::StdRng;
use serde_json::Value;
use uuid::Uuid;

use super::{
    dataset::Dataset,
    endpoints::{FEED, INBOX, digest},
    process::Process,
    stack::request,
};
use crate::{
    load::{Request, get},
    n_plus_one,
};

/// Compares the responses of read-api and of the N+1 backend for some viewers, including those with an inbox. Errors:
/// they differ, or a full page of the N+1 backend took an unexpected number of queries.
pub async fn check(
    dataset: &Dataset,
    read_api: &Process,
    n_plus_one: &Process,
    rng: &mut StdRng,
) -> Result<()> {
    let mut viewers = dataset.some(20, rng);
    viewers.extend(&dataset.inboxes);
    for viewer in viewers {
        for path in [FEED, INBOX, &digest()] {
            let ours = json(read_api, &get(0, path, dataset.headers(viewer)))
                .await?
                .0;
            let header = format!("{}: {viewer}\r\n", n_plus_one::VIEWER);
            let (other, queries) = json(n_plus_one, &get(0, path, &header)).await?;
            ensure!(ours == other, "{}", difference(viewer, path, &ours, &other));
            let expected = match path {
                FEED if ours["items"]
                    .as_array()
                    .is_some_and(|items| items.len() == 20) =>
                {
                    42
                }
                _ if ours["top_posts"]
                    .as_array()
                    .is_some_and(|posts| posts.len() == 50) =>
                {
                    106
                }
                _ => continue,
            };
            ensure!(
                queries == Some(expected),
                "{path} took {queries:?} queries instead of {expected}"
            );
        }
    }
    Ok(())
}

/// A response, with its cursor replaced by whether there is one and without what only read-api has, and the number of its
/// queries.
async fn json(process: &Process, what: &Request) -> Result<(Value, Option<usize>)> {
    let (head, body) = request(&process.address, what).await?;
    let mut value: Value = serde_json::from_slice(&body).context("the response is not JSON")?;
    if let Some(cursor) = value.get_mut("next_cursor") {
        *cursor = Value::Bool(!cursor.is_null());
    }
    if let Some(body) = value.as_object_mut() {
        body.remove("prev_cursor");
        body.remove("total");
        body.remove("unread_count");
    }
    for item in value["items"].as_array_mut().into_iter().flatten() {
        if let Some(item) = item.as_object_mut() {
            item.remove("read");
        }
    }
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let queries = head
        .lines()
        .find_map(|line| line.strip_prefix(n_plus_one::QUERIES)?.strip_prefix(": "));
    Ok((value, queries.and_then(|queries| queries.parse().ok())))
}

fn difference(viewer: Uuid, path: &str, ours: &Value, other: &Value) -> String {
    let (ours, other) = (ours.to_string(), other.to_string());
    let equal = ours
        .bytes()
        .zip(other.bytes())
        .take_while(|(a, b)| a == b)
        .count();
    let part = |text: &str| {
        let bytes = &text.as_bytes()[equal.saturating_sub(80)..];
        String::from_utf8_lossy(&bytes[..bytes.len().min(240)]).into_owned()
    };
    format!(
        "{path} of {viewer} differs\n  read-api: …{}\n  N+1 backend: …{}",
        part(&ours),
        part(&other)
    )
}
