//! Requests of the reader, in all their forms.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use chrono::Utc;
use feedmill_events::id;
use futures::{StreamExt, TryStreamExt, stream};
use reqwest::header::HeaderMap;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    client::{Answer, Client, http},
    compare::{Expected, Read, reads},
    kit::Target,
    oracle::Oracle,
    token,
};

/// Requests at once.
const CONCURRENCY: usize = 6;

/// Every so many checks, there are also requests with cursors from before, and requests of somebody who sees more.
const OTHERS_INTERVAL: usize = 8;

/// Headers that differ between two equal answers.
const VARYING: [&str; 3] = ["date", "traceparent", "x-request-id"];

pub struct Probes {
    reader: Uuid,
    instances: Vec<Instance>,
    checks: usize,
}

/// The reader at one read-api.
struct Instance {
    /// Waits for the position of the last change.
    positioned: Client,
    /// Does not, so that it is answered from the cache.
    plain: Client,
    /// Somebody who sees more than the reader, and whose answers are in the same cache.
    insider: Client,
    /// By path: the last good answer with an `ETag`, and the cursor of its second page.
    known: BTreeMap<String, Known>,
}

#[derive(Clone, Default)]
struct Known {
    etag: String,
    ids: BTreeSet<Uuid>,
    cursor: Option<String>,
}

/// Their answers depend on all projections.
const LISTS: [&str; 3] = ["/v1/digest", "/v1/notifications", "/v1/conversations"];

/// How long an instance may take to hear of a change that it can read.
const MAX_ANNOUNCED: Duration = Duration::from_secs(5);

impl Instance {
    /// Returns when answers from the cache follow the change, too. An instance can read a change in the tables before it is announced
    /// to it. Until then, requests with the position bypass the cache, and others may be answered from it.
    async fn caught_up(&self) -> Result<()> {
        let start = Instant::now();
        for list in LISTS {
            while self.positioned.get(list).await.header("x-cache") != Some("hit") {
                ensure!(
                    start.elapsed() < MAX_ANNOUNCED,
                    "{list} does not come from the cache"
                );
            }
        }
        Ok(())
    }
}

/// What an answer must have: nothing, as if it never existed, or these ids.
type Ids = Option<BTreeSet<Uuid>>;

impl Probes {
    pub fn new(target: &Target, client: &Client, reader: Uuid, author: Uuid) -> Self {
        let of = |account, url: &str| {
            Client::new(&client.write, url).with_token(&target.signer.token(account))
        };
        let instance = |url: &String| Instance {
            positioned: client.with_read(url),
            plain: of(reader, url),
            insider: of(author, url),
            known: BTreeMap::new(),
        };
        Self {
            reader,
            instances: target.read.iter().map(instance).collect(),
            checks: 0,
        }
    }

    /// Every read of the reader about the accounts and these posts, at every instance. The routes that were checked.
    pub async fn check(&mut self, oracle: &Oracle, posts: &[Uuid]) -> Result<Vec<String>> {
        let today = token::now().with_timezone(&Utc).date_naive();
        let about = |read: &Read| {
            let of_post = read.path.strip_prefix("/v1/posts/");
            of_post.is_none_or(|rest| posts.iter().any(|id| rest.starts_with(&id.to_string())))
        };
        let reads = reads(oracle, self.reader, &[today], usize::MAX);
        let expected: Vec<(String, Ids)> = reads
            .into_iter()
            .filter(about)
            .filter_map(|read| Some((read.path, ids_of(read.expected)?)))
            .collect();
        let mut routes = Vec::new();
        self.checks += 1;
        let with_others = self.checks.is_multiple_of(OTHERS_INTERVAL);
        for instance in &mut self.instances {
            instance.caught_up().await?;
            let absent = Absent::default();
            let checks = expected.iter().map(|(path, ids)| {
                let known = instance.known.get(path).cloned().unwrap_or_default();
                let check = Check {
                    instance,
                    path,
                    expected: ids,
                    with_others,
                    absent: &absent,
                };
                async move { check.run(known).await }
            });
            let found: Vec<_> = stream::iter(checks)
                .buffered(CONCURRENCY)
                .try_collect()
                .await?;
            for ((path, _), known) in expected.iter().zip(found) {
                routes.push(route(path));
                instance.known.insert(path.clone(), known);
            }
        }
        Ok(routes)
    }
}

/// The ids of an expected answer; None if it has none.
fn ids_of(expected: Expected) -> Option<Ids> {
    match expected {
        Expected::One(None) | Expected::List(None, _) => Some(None),
        Expected::One(Some(one)) if one.get("top_posts").is_some() => {
            Some(Some(ids(&one["top_posts"])))
        }
        Expected::One(Some(one)) if one.get("id").is_some() => {
            Some(Some(id_in(&one).into_iter().collect()))
        }
        Expected::One(Some(one)) => one.get("items").map(|items| Some(ids(items))),
        Expected::List(Some(items), _) | Expected::OwnList(items, _) => {
            Some(Some(items.iter().filter_map(item_id).collect()))
        }
    }
}

fn ids(items: &Value) -> BTreeSet<Uuid> {
    let items = items.as_array().into_iter().flatten();
    items.filter_map(item_id).collect()
}

fn id_in(value: &Value) -> Option<Uuid> {
    value["id"].as_str()?.parse().ok()
}

/// Of a notification, the reply or post that it is about: its own id is not known before.
fn item_id(item: &Value) -> Option<Uuid> {
    match item.get("post") {
        Some(Value::Object(_)) => id_in(&item["post"]),
        Some(_) => None,
        None => id_in(item),
    }
}

/// The check of a path at an instance.
struct Check<'a> {
    instance: &'a Instance,
    path: &'a str,
    expected: &'a Ids,
    /// See [`OTHERS_INTERVAL`].
    with_others: bool,
    absent: &'a Absent,
}

/// The answers for ids that nothing has, by the form of the request and the route.
#[derive(Default)]
struct Absent(Mutex<BTreeMap<(bool, String), Answer>>);

impl Check<'_> {
    /// In all forms. Returns what the reader knows afterwards.
    async fn run(&self, known: Known) -> Result<Known> {
        let Instance {
            positioned,
            plain,
            insider,
            ..
        } = self.instance;
        let (path, expected) = (self.path, self.expected);
        if self.with_others {
            insider.get(&with_limit(path, 100)).await;
        }
        let answer = positioned.get(&with_limit(path, 100)).await;
        self.compare("with the position", &answer, positioned)
            .await?;
        let has_pages = answer.json().get("items").is_some();
        let mut now = Known::default();
        if let (Some(ids), Some(etag)) = (expected, answer.header("etag")) {
            etag.clone_into(&mut now.etag);
            ids.clone_into(&mut now.ids);
        }
        if expected.is_none() && known.etag.is_empty() && !self.with_others {
            now.cursor = known.cursor;
            return Ok(now);
        }
        let mut request =
            plain.signed(http().get(format!("{}{}", plain.read, with_limit(path, 100))));
        if !known.etag.is_empty() {
            request = request.header("If-None-Match", &known.etag);
        }
        let answer = plain.send(request).await;
        if answer.status == 304 {
            ensure!(
                expected.as_ref() == Some(&known.ids),
                "GET {path} with an ETag from before: 304, but {expected:?} instead of {:?}",
                known.ids
            );
        } else {
            self.compare("from the cache", &answer, plain).await?;
        }
        if !self.with_others {
            now.cursor = known.cursor;
            return Ok(now);
        }
        if let Some(cursor) = &known.cursor {
            let answer = plain
                .get(&format!("{}&cursor={cursor}", with_limit(path, 100)))
                .await;
            match expected {
                None => {
                    self.compare("with a cursor from before", &answer, plain)
                        .await?;
                }
                Some(expected) => {
                    let found = ids(&answer.json()["items"]);
                    ensure!(
                        answer.status == 200 && found.is_subset(expected),
                        "GET {path} with a cursor from before: {answer:?}, expected of {expected:?}"
                    );
                }
            }
        }
        if has_pages && expected.as_ref().is_some_and(|ids| ids.len() > 1) {
            let first = plain.get(&with_limit(path, 1)).await;
            now.cursor = first.json()["next_cursor"].as_str().map(str::to_owned);
        }
        now.cursor = now.cursor.or(known.cursor);
        Ok(now)
    }

    async fn compare(&self, how: &str, answer: &Answer, client: &Client) -> Result<()> {
        let (path, Some(expected)) = (self.path, self.expected) else {
            return self.looks_absent(how, answer, client).await;
        };
        let body = answer.json();
        let found = if body.get("top_posts").is_some() {
            ids(&body["top_posts"])
        } else if body.get("items").is_some() {
            ids(&body["items"])
        } else {
            id_in(&body).into_iter().collect()
        };
        ensure!(
            answer.status == 200 && found == *expected,
            "GET {path} {how}: {answer:?} instead of {expected:?}"
        );
        Ok(())
    }

    /// The answer is the one for an id that never existed.
    async fn looks_absent(&self, how: &str, answer: &Answer, client: &Client) -> Result<()> {
        let path = self.path;
        let absent = self.absent(client).await;
        ensure!(
            absent.status == 404,
            "GET of what never existed: {absent:?}"
        );
        ensure!(
            answer.status == 404
                && headers(&answer.headers) == headers(&absent.headers)
                && answer.body == absent.body,
            "GET {path} {how}: {answer:?} differs from what never existed: {absent:?}"
        );
        Ok(())
    }

    async fn absent(&self, client: &Client) -> Answer {
        let is_positioned = std::ptr::eq(client, &raw const self.instance.positioned);
        let key = (is_positioned, route(self.path));
        let known = self.absent.get(&key);
        if let Some(answer) = known {
            return answer;
        }
        let segments = self.path.split('/').map(|segment| {
            let is_id = segment.parse::<Uuid>().is_ok() || segment.starts_with('@');
            if is_id {
                unused_id().to_string()
            } else {
                segment.to_owned()
            }
        });
        let path = segments.collect::<Vec<_>>().join("/");
        let answer = client.get(&with_limit(&path, 100)).await;
        self.absent.insert(key, answer.clone());
        answer
    }
}

impl Absent {
    fn get(&self, key: &(bool, String)) -> Option<Answer> {
        let answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        answers.get(key).cloned()
    }

    fn insert(&self, key: (bool, String), answer: Answer) {
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        answers.insert(key, answer);
    }
}

fn with_limit(path: &str, limit: usize) -> String {
    if path.contains("digest") || path.contains("relationships") || !is_list(path) {
        return path.to_owned();
    }
    let separator = if path.contains('?') { '&' } else { '?' };
    format!("{path}{separator}limit={limit}")
}

/// Whether the path takes a page.
fn is_list(path: &str) -> bool {
    let last = path
        .split('?')
        .next()
        .and_then(|path| path.rsplit('/').next());
    let last = last.unwrap_or_default();
    last.parse::<Uuid>().is_err() && !last.starts_with('@') && !matches!(last, "me" | "counts")
}

/// An id that nothing has.
fn unused_id() -> Uuid {
    let now = token::now().timestamp_millis();
    id::compose(now, rand::random(), rand::random(), None)
}

fn headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let mut all: Vec<_> = headers
        .iter()
        .filter(|(name, _)| !VARYING.contains(&name.as_str()))
        .map(|(name, value)| {
            let value = value.to_str().unwrap_or_default();
            (name.to_string(), value.to_owned())
        })
        .collect();
    all.sort();
    all
}

/// The path without ids.
fn route(path: &str) -> String {
    let path = path.split('?').next().unwrap_or(path);
    let segments = path.split('/').map(|segment| {
        if segment.parse::<Uuid>().is_ok() {
            "{id}"
        } else if segment.starts_with('@') {
            "@{handle}"
        } else {
            segment
        }
    });
    segments.collect::<Vec<_>>().join("/")
}
