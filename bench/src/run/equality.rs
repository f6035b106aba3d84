//! Checks that both sides give the same answers: otherwise a comparison means nothing.

use std::collections::BTreeSet;

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
            let (answer, queries) = compare(dataset, read_api, n_plus_one, viewer, path).await?;
            let expected = match path {
                FEED if answer["items"]
                    .as_array()
                    .is_some_and(|items| items.len() == 20) =>
                {
                    42
                }
                _ if answer["top_posts"]
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

/// Compares the feeds of some viewers in a community whose posts have audiences. Gives the average number of queries of the N+1
/// backend. Errors: they differ, or posts of an audience are missing.
pub async fn check_audiences(
    dataset: &Dataset,
    read_api: &Process,
    n_plus_one: &Process,
    rng: &mut StdRng,
) -> Result<f64> {
    let viewers = dataset.some(40, rng);
    let (mut total, mut audiences) = (0, BTreeSet::new());
    for viewer in &viewers {
        let (answer, queries) = compare(dataset, read_api, n_plus_one, *viewer, FEED).await?;
        total += queries.context("the N+1 backend does not tell its number of queries")?;
        let items = answer["items"].as_array().into_iter().flatten();
        audiences.extend(items.filter_map(|post| Some(post["audience"].as_str()?.to_owned())));
    }
    for audience in ["public", "connections", "limited"] {
        ensure!(
            audiences.contains(audience),
            "the feeds have no post whose audience is {audience}"
        );
    }
    Ok(total as f64 / viewers.len() as f64)
}

/// Gives the response of both sides, and the number of queries of the N+1 backend. Errors: they differ.
async fn compare(
    dataset: &Dataset,
    read_api: &Process,
    n_plus_one: &Process,
    viewer: Uuid,
    path: &str,
) -> Result<(Value, Option<usize>)> {
    let ours = json(read_api, &get(0, path, dataset.headers(viewer)))
        .await?
        .0;
    let header = format!("{}: {viewer}\r\n", n_plus_one::VIEWER);
    let (other, queries) = json(n_plus_one, &get(0, path, &header)).await?;
    ensure!(ours == other, "{}", difference(viewer, path, &ours, &other));
    Ok((ours, queries))
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
