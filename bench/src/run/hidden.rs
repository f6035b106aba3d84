//! Pages that cost the most: almost all posts that they are chosen from are hidden from the viewer.

use anyhow::{Result, ensure};
use serde_json::Value;
use uuid::Uuid;

use super::{
    community::Community,
    context::{Bench, progress},
    endpoints::FEED,
    process::Process,
    row::{Outcome, Runs},
    stack::{CacheMode, request},
};
use crate::{
    data::hidden::{self, AUTHOR, FOLLOWER, FRIEND},
    load::{Plan, get},
};

/// In milliseconds.
const TARGET: f64 = 100.0;

/// A first page.
struct FirstPage {
    name: &'static str,
    viewer: Uuid,
    path: String,
    /// The expected number of posts.
    posts: usize,
}

/// There is one connection: with more, a latency would include the wait for other requests. read-api caches posts but no
/// responses. The page with the longest p99 counts; the note has all.
pub async fn measure(bench: &mut Bench) -> Result<Vec<Outcome>> {
    let community = Community::import(bench, "hidden", hidden::write).await?;
    let database = &community.database;
    let read_api = bench
        .stack
        .read_api(database, bench.write_api()?, CacheMode::OnlyPosts)
        .await?;
    let [author, friend, follower] = accounts(&community).await?;
    let pages = [
        FirstPage {
            name: "feed, the 20 oldest of 100,000 posts visible",
            viewer: friend,
            path: FEED.to_owned(),
            posts: hidden::VISIBLE,
        },
        FirstPage {
            name: "posts of their author",
            viewer: friend,
            path: format!("/v1/users/{author}/posts?limit=20"),
            posts: hidden::VISIBLE,
        },
        FirstPage {
            name: "feed, none of 100,000 posts by 500 authors visible",
            viewer: follower,
            path: FEED.to_owned(),
            posts: 0,
        },
    ];
    let mut worst = Outcome {
        key: "hidden",
        value: 0.0,
        other: format!("{TARGET:.0} ms"),
        ..Outcome::default()
    };
    let mut notes = Vec::new();
    for page in &pages {
        let runs = page.measure(bench, &community, &read_api).await?;
        let (p50, p99) = (runs.p50(), runs.p99());
        let count: u64 = runs.0.iter().map(|run| run.count).sum();
        let note = format!("{}: {p50:.1} ms, {p99:.1} ms ({count} requests)", page.name);
        progress(&note);
        notes.push(note);
        worst.failed = worst.failed.or(runs.failure());
        if worst.value < p99 / TARGET {
            worst.value = p99 / TARGET;
            worst.ours = format!("{p50:.1} ms, {p99:.1} ms");
            worst.latencies = Some([[p50, p99], [TARGET, TARGET]]);
            worst.runs = [runs.0, Vec::new()];
        }
    }
    drop(read_api);
    bench.stack.drop(community.database).await?;
    Ok(vec![worst.with_note(notes.join("; "))])
}

impl FirstPage {
    /// Errors: the page has another number of posts.
    async fn measure(
        &self,
        bench: &Bench,
        community: &Community,
        read_api: &Process,
    ) -> Result<Runs> {
        let read = get(0, &self.path, community.dataset.headers(self.viewer));
        let (_, body) = request(&read_api.address, &read).await?;
        let answer: Value = serde_json::from_slice(&body)?;
        let posts = answer["items"].as_array().map_or(0, Vec::len);
        ensure!(
            posts == self.posts,
            "{} has {posts} posts instead of {}",
            self.path,
            self.posts
        );
        let mut plan = Plan::new(&[&read_api.address], vec![read], bench.seconds);
        plan.connections = 1;
        let mut runs = Runs::default();
        for _ in 0..bench.runs {
            runs.push(bench.stack.load(&plan).await?);
        }
        Ok(runs)
    }
}

/// The ids of the accounts that the workload names.
async fn accounts(community: &Community) -> Result<[Uuid; 3]> {
    let mut ids = [Uuid::nil(); 3];
    for (id, handle) in ids.iter_mut().zip([AUTHOR, FRIEND, FOLLOWER]) {
        *id = sqlx::query_scalar("SELECT id FROM write.accounts WHERE handle = $1")
            .bind(handle)
            .fetch_one(&community.database.pool)
            .await?;
    }
    Ok(ids)
}
