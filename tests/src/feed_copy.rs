//! A client's copy of an account's feed, which an open stream keeps up to date as docs/http.md says.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::{task::JoinHandle, time::sleep};
use uuid::Uuid;

use crate::client::{Client, ServerSentEvent};

/// A change is told within this time, even on a busy machine.
const TOLD_TIMEOUT: Duration = Duration::from_secs(20);

/// The texts of posts by id.
pub type Feed = BTreeMap<Uuid, String>;

/// The feed of a read, by its items.
pub fn feed_of<'a>(items: impl IntoIterator<Item = &'a Value>) -> Feed {
    items.into_iter().filter_map(post).collect()
}

fn post(item: &Value) -> Option<(Uuid, String)> {
    let id = item["id"].as_str()?.parse().ok()?;
    Some((id, item["text"].as_str()?.to_owned()))
}

#[derive(Debug, Default)]
struct Shared {
    feed: Feed,
    last_event_id: Option<String>,
    /// Why the copy is not kept up to date any more.
    end: Option<String>,
}

pub struct FeedCopy {
    client: Client,
    shared: Arc<Mutex<Shared>>,
    /// None while the client is away.
    task: Option<JoinHandle<()>>,
}

impl FeedCopy {
    /// Opens the stream, then reads the feed.
    pub async fn open(client: Client) -> Result<Self> {
        let mut copy = Self {
            client,
            shared: Arc::default(),
            task: None,
        };
        copy.come_back().await?;
        Ok(copy)
    }

    pub fn is_away(&self) -> bool {
        self.task.is_none()
    }

    /// Closes the stream.
    pub fn go_away(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }

    /// Opens the stream where it was closed.
    pub async fn come_back(&mut self) -> Result<()> {
        let last_event_id = lock(&self.shared).last_event_id.clone();
        let mut stream = self.client.stream(last_event_id.as_deref()).await?;
        if last_event_id.is_none() {
            let feed = read(&self.client).await?;
            lock(&self.shared).feed = feed;
        }
        let (client, shared) = (self.client.clone(), Arc::clone(&self.shared));
        self.task = Some(tokio::spawn(async move {
            let end = loop {
                let Some(event) = stream.next().await else {
                    break "the stream has ended".to_owned();
                };
                if let Err(error) = apply(&event, &client, &shared).await {
                    break format!("{event:?}: {error:#}");
                }
                lock(&shared)
                    .last_event_id
                    .clone_from(&stream.last_event_id);
            };
            lock(&shared).end = Some(end);
        }));
        Ok(())
    }

    /// Waits until the copy has no post from `floor` on that is not in `feed` with the same text. Then the copy becomes `feed`, as if
    /// the client had read it again: a stream does not tell which old posts are new to the caller.
    pub async fn check(&self, feed: &Feed, floor: Uuid) -> Result<()> {
        let start = Instant::now();
        loop {
            let wrong = {
                let mut shared = lock(&self.shared);
                if let Some(end) = &shared.end {
                    anyhow::bail!("{end}");
                }
                let known = shared.feed.range(floor..);
                let wrong = known.filter(|(id, text)| feed.get(id) != Some(text));
                let wrong: Vec<_> = wrong.map(|(id, text)| (*id, text.clone())).collect();
                if wrong.is_empty() {
                    shared.feed.clone_from(feed);
                    return Ok(());
                }
                wrong
            };
            ensure!(
                start.elapsed() < TOLD_TIMEOUT,
                "the stream did not tell that these posts are gone or edited: {wrong:?}"
            );
            sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for FeedCopy {
    fn drop(&mut self) {
        self.go_away();
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn apply(event: &ServerSentEvent, client: &Client, shared: &Mutex<Shared>) -> Result<()> {
    match &*event.name {
        "post" | "edited" => {
            let (id, text) = post(&event.data).context("not a post")?;
            lock(shared).feed.insert(id, text);
        }
        "gone" => {
            let posts = event.data["posts"].as_array().context("no posts")?;
            let posts = posts.iter().filter_map(Value::as_str);
            for id in posts.filter_map(|id| id.parse::<Uuid>().ok()) {
                lock(shared).feed.remove(&id);
            }
        }
        "reset" if event.data["lists"].to_string().contains("feed") => {
            let feed = read(client).await?;
            lock(shared).feed = feed;
        }
        _ => {}
    }
    Ok(())
}

async fn read(client: &Client) -> Result<Feed> {
    Ok(feed_of(&client.items("/v1/feed").await?))
}
