//! The time from a post's 201 until it is in a follower's feed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::connection::Connection;
use crate::summary::{Recorder, Summary};

/// The pause between two reads of the feed.
const POLL_INTERVAL: Duration = Duration::from_millis(1);
/// A post that is not visible after this time is an error.
const VISIBLE_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProbePlan {
    /// The address of write-api.
    pub write: String,
    /// The address of read-api.
    pub read: String,
    /// Pairs of requests: an author's post, and the first page of a follower's feed.
    pub probes: Vec<(String, String)>,
    /// The number of concurrent probers.
    pub concurrency: usize,
    /// Seconds between two probes of a prober.
    pub pause: f64,
}

/// Each probe posts, and then polls the follower's feed until the post is in it, with a pause of 1 ms after each
/// response. The result is the time from the 201 to the end of the first response with the post: it is too long by at
/// most 1 ms and one request.
pub async fn probe(plan: ProbePlan) -> Result<Summary> {
    let plan = Arc::new(plan);
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let probers: Vec<_> = (0..plan.concurrency)
        .map(|_| tokio::spawn(prober(plan.clone(), next.clone())))
        .collect();
    let mut all = Vec::new();
    for prober in probers {
        all.push(prober.await?);
    }
    Ok(Recorder::merge(all, started.elapsed()))
}

async fn prober(plan: Arc<ProbePlan>, next: Arc<AtomicUsize>) -> Recorder {
    let mut recorder = Recorder::default();
    let mut write = Connection::new(&plan.write);
    let mut read = Connection::new(&plan.read);
    while let Some((post, feed)) = plan.probes.get(next.fetch_add(1, Ordering::Relaxed)) {
        match probe_once(&mut write, &mut read, post, feed).await {
            Ok(latency) => recorder.latency(latency),
            Err(error) => recorder.error(format!("{error:#}")),
        }
        tokio::time::sleep(Duration::from_secs_f64(plan.pause)).await;
    }
    recorder
}

async fn probe_once(
    write: &mut Connection,
    read: &mut Connection,
    post: &str,
    feed: &str,
) -> Result<Duration> {
    let response = write.send(post.as_bytes()).await?;
    let acknowledged = Instant::now();
    ensure!(
        response.status == 201,
        "POST /v1/posts answered {}",
        response.status
    );
    let created: serde_json::Value = serde_json::from_slice(write.body())?;
    let id = created["id"]
        .as_str()
        .context("the created post has no id")?;
    loop {
        let response = read.send(feed.as_bytes()).await?;
        ensure!(
            response.status == 200,
            "GET /v1/feed answered {}",
            response.status
        );
        let latency = acknowledged.elapsed();
        if read
            .body()
            .windows(id.len())
            .any(|part| part == id.as_bytes())
        {
            return Ok(latency);
        }
        ensure!(
            latency < VISIBLE_TIMEOUT,
            "post {id} is not in the follower's feed after {VISIBLE_TIMEOUT:?}"
        );
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
