//! How long after its 201 a post is in a follower's feed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::Connection;
use crate::summary::{Seen, Summary};

/// Between two looks at the feed.
const PAUSE: Duration = Duration::from_millis(1);
/// A post that is not there by then never comes.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProbePlan {
    pub write: String,
    pub read: String,
    /// Requests: an author's post, and the first page of a follower's feed.
    pub probes: Vec<(String, String)>,
    /// How many are under way at once.
    pub at_once: usize,
    /// Seconds between two of one prober.
    pub pause: f64,
}

/// Each probe posts, and then asks for the follower's feed again and again until the post is in it: plain
/// `GET`s, a millisecond after the answer to the one before. The time is from the 201 to the end of the first
/// answer that has it, so it is up to a millisecond and a request too long.
pub async fn probe(plan: ProbePlan) -> Result<Summary> {
    let plan = Arc::new(plan);
    let next = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();
    let probers: Vec<_> = (0..plan.at_once)
        .map(|_| tokio::spawn(prober(plan.clone(), next.clone())))
        .collect();
    let mut all = Vec::new();
    for prober in probers {
        all.push(prober.await?);
    }
    Ok(Seen::together(all, begun.elapsed()))
}

async fn prober(plan: Arc<ProbePlan>, next: Arc<AtomicUsize>) -> Seen {
    let mut seen = Seen::default();
    let mut write = Connection::to(&plan.write);
    let mut read = Connection::to(&plan.read);
    while let Some((post, feed)) = plan.probes.get(next.fetch_add(1, Ordering::Relaxed)) {
        match one(&mut write, &mut read, post, feed).await {
            Ok(took) => seen.took(took),
            Err(error) => seen.failed(format!("{error:#}")),
        }
        tokio::time::sleep(Duration::from_secs_f64(plan.pause)).await;
    }
    seen
}

async fn one(
    write: &mut Connection,
    read: &mut Connection,
    post: &str,
    feed: &str,
) -> Result<Duration> {
    let answer = write.ask(post.as_bytes()).await?;
    let acknowledged = Instant::now();
    ensure!(
        answer.status == 201,
        "a post was answered {}",
        answer.status
    );
    let made: serde_json::Value = serde_json::from_slice(write.body())?;
    let id = made["id"].as_str().context("a post without an id")?;
    loop {
        let answer = read.ask(feed.as_bytes()).await?;
        ensure!(
            answer.status == 200,
            "a feed was answered {}",
            answer.status
        );
        let took = acknowledged.elapsed();
        if read
            .body()
            .windows(id.len())
            .any(|part| part == id.as_bytes())
        {
            return Ok(took);
        }
        ensure!(
            took < PATIENCE,
            "post {id} is not in its follower's feed after {PATIENCE:?}"
        );
        tokio::time::sleep(PAUSE).await;
    }
}
