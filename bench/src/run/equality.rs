//! Both sides must give the same answers, or no comparison means anything.

use anyhow::{Context, Result, ensure};
use rand::rngs::StdRng;
use serde_json::Value;
use uuid::Uuid;

use super::{process::Process, stack::ask, world::World};
use crate::{
    before, data,
    load::{Request, get},
};

/// What the latency rows ask for.
pub const FEED: &str = "/v1/feed?limit=20";
pub const INBOX: &str = "/v1/conversations";

pub fn digest() -> String {
    format!("/v1/digest?period=week&date={}", data::DIGEST_DATE)
}

/// Compares the answers of read-api and of the usual backend for some viewers, those with an inbox among them.
/// Errors: they differ; or a full page did not take as many queries as is said of it.
pub async fn answers(
    world: &World,
    read_api: &Process,
    usual: &Process,
    rng: &mut StdRng,
) -> Result<()> {
    let mut viewers = world.some(20, rng);
    viewers.extend(&world.inboxes);
    for viewer in viewers {
        for path in [FEED, INBOX, &digest()] {
            let ours = json(read_api, &get(0, path, world.signed(viewer))).await?.0;
            let header = format!("{}: {viewer}\r\n", before::VIEWER);
            let (other, queries) = json(usual, &get(0, path, &header)).await?;
            ensure!(ours == other, "{}", difference(viewer, path, &ours, &other));
            let wanted = match path {
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
                    105
                }
                _ => continue,
            };
            ensure!(
                queries == Some(wanted),
                "{path} took {queries:?} queries instead of {wanted}"
            );
        }
    }
    Ok(())
}

/// An answer, its cursor being there or not, and how many queries it took.
async fn json(process: &Process, request: &Request) -> Result<(Value, Option<usize>)> {
    let (head, body) = ask(&process.address, request).await?;
    let mut value: Value = serde_json::from_slice(&body).context("an answer in JSON")?;
    if let Some(cursor) = value.get_mut("next_cursor") {
        *cursor = Value::Bool(!cursor.is_null());
    }
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let queries = head
        .lines()
        .find_map(|line| line.strip_prefix(before::QUERIES)?.strip_prefix(": "));
    Ok((value, queries.and_then(|queries| queries.parse().ok())))
}

fn difference(viewer: Uuid, path: &str, ours: &Value, other: &Value) -> String {
    let (ours, other) = (ours.to_string(), other.to_string());
    let same = ours
        .bytes()
        .zip(other.bytes())
        .take_while(|(a, b)| a == b)
        .count();
    let part = |text: &str| {
        let bytes = &text.as_bytes()[same.saturating_sub(80)..];
        String::from_utf8_lossy(&bytes[..bytes.len().min(240)]).into_owned()
    };
    format!(
        "{path} of {viewer} differs\n  read-api: …{}\n  the usual backend: …{}",
        part(&ours),
        part(&other)
    )
}
