//! The reader's open stream.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use tokio::{task::JoinHandle, time::sleep};
use uuid::Uuid;

use crate::{
    client::{EventStream, http},
    kit::Target,
};

/// A lost post is told within this time, even on a busy machine.
const TOLD_TIMEOUT: Duration = Duration::from_secs(20);

/// What the stream has told since the last check.
#[derive(Debug, Default)]
struct Told {
    gone: BTreeSet<Uuid>,
    reset: bool,
}

pub struct Follower {
    told: Arc<Mutex<Told>>,
    task: JoinHandle<()>,
    feed: BTreeSet<Uuid>,
}

impl Follower {
    pub async fn open(target: &Target, reader: Uuid) -> Result<Self> {
        let client = target.client_of(reader);
        let day = Duration::from_hours(24);
        let request = http().get(format!("{}/v1/stream", client.read));
        let response = client.signed(request.timeout(day)).send().await?;
        let mut stream = EventStream::new(response.error_for_status()?);
        let told = Arc::<Mutex<Told>>::default();
        let shared = Arc::clone(&told);
        let task = tokio::spawn(async move {
            while let Some(event) = stream.next().await {
                let mut told = shared.lock().unwrap_or_else(PoisonError::into_inner);
                match event.name.as_str() {
                    "gone" => {
                        let posts = event.data["posts"].as_array();
                        let posts = posts.into_iter().flatten().filter_map(|id| id.as_str());
                        told.gone
                            .extend(posts.filter_map(|id| id.parse::<Uuid>().ok()));
                    }
                    "reset" => told.reset = true,
                    _ => {}
                }
            }
        });
        Ok(Self {
            told,
            task,
            feed: BTreeSet::new(),
        })
    }

    /// Waits until the stream has told of every post that `feed` has lost since the last check.
    pub async fn check(&mut self, feed: &BTreeSet<Uuid>) -> Result<()> {
        let lost: BTreeSet<Uuid> = self.feed.difference(feed).copied().collect();
        feed.clone_into(&mut self.feed);
        let start = Instant::now();
        loop {
            {
                let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
                if told.reset || lost.is_subset(&told.gone) {
                    *told = Told::default();
                    return Ok(());
                }
            }
            ensure!(
                start.elapsed() < TOLD_TIMEOUT,
                "the stream did not tell that {lost:?} are gone"
            );
            sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}
