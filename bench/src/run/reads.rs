//! Reads of which no answer is kept: against the bare loop, and against the usual backend.
//!
//! read-api has its posts in memory, as a miss finds them, and asks for the rest. What comes out where it keeps
//! nothing at all, and against a backend of which a request keeps one connection for all its queries, is in the notes.

use anyhow::Result;
use uuid::Uuid;

use super::{
    Bench,
    process::Process,
    profile,
    row::{Outcome, Runs},
    same::{self, FEED, INBOX},
    say,
    stack::{self, Memory},
    world::World,
};
use crate::{before, load::Plan, summary::Summary};

/// Of read-api by default, and of the loop.
fn connections() -> String {
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    (2 * processors).to_string()
}

/// The statements of a page of which all posts are kept, and of one of which none is.
const LISTED: &str = "feed.listed";
const WHOLE: &str = "feed.page";

/// The servers of both sides.
struct Sides {
    ours: Process,
    /// Keeps nothing.
    ours_bare: Process,
    usual: Process,
    /// A request keeps its connection.
    usual_kept: Process,
}

/// What a kind of read came to.
#[derive(Default)]
struct Seen {
    ours: Runs,
    ours_bare: Runs,
    usual: Runs,
    usual_kept: Runs,
}

pub async fn measure(bench: &mut Bench) -> Result<Vec<Outcome>> {
    stack::execute(&bench.database.pool, before::SCHEMA).await?;
    bench.database.settle().await?;
    let sides = Sides {
        ours: bench.read_api(Memory::Posts).await?,
        ours_bare: bench.read_api(Memory::Nothing).await?,
        usual: bench.server(&["before"], "/health/ready").await?,
        usual_kept: bench
            .server(&["before", "--keep-connection"], "/health/ready")
            .await?,
    };
    same::answers(&bench.world, &sides.ours, &sides.usual, &mut bench.rng).await?;
    // Once more, of posts that are kept by now.
    same::answers(&bench.world, &sides.ours, &sides.usual, &mut bench.rng).await?;
    say("both sides give the same answers, for 40 viewers");

    let viewers = bench.world.some(2_000, &mut bench.rng);
    let inboxes = bench.world.inboxes.clone();
    let mut outcomes = Vec::new();
    let kinds = [
        ("feed", FEED.to_owned(), &viewers),
        ("digest", same::digest(), &viewers),
        ("inbox", INBOX.to_owned(), &inboxes),
    ];
    for (key, path, viewers) in kinds {
        let with_loop = key == "feed" && bench.wants(&["uncached"]);
        if !with_loop && !bench.wants(&[key]) {
            continue;
        }
        let mut seen = Seen::default();
        let [mut pooled, mut kept, mut whole] = [const { Runs(Vec::new()) }; 3];
        for run in 0..bench.runs {
            let recorded = profile::start(bench, &[key, "uncached"], &sides.ours, run)?;
            seen.ours
                .push(ours(bench, &sides.ours, viewers, &path).await?);
            profile::end(recorded).await?;
            if with_loop {
                pooled.push(bare_loop(bench, viewers, LISTED, &[]).await?);
                kept.push(bare_loop(bench, viewers, LISTED, &["--keep-connection"]).await?);
                whole.push(bare_loop(bench, viewers, WHOLE, &[]).await?);
            }
            seen.usual
                .push(theirs(bench, &sides.usual, viewers, &path).await?);
            let bare = ours(bench, &sides.ours_bare, viewers, &path).await?;
            seen.ours_bare.push(bare);
            let kept = theirs(bench, &sides.usual_kept, viewers, &path).await?;
            seen.usual_kept.push(kept);
        }
        if with_loop {
            let note = format!(
                "{:.2} of a loop whose connections are kept; with nothing in memory {:.2} of its statement in a loop",
                seen.ours.per_second() / kept.per_second(),
                seen.ours_bare.per_second() / whole.per_second(),
            );
            outcomes.push(Outcome::of_rates("uncached", &seen.ours, &pooled).noted(note));
        }
        outcomes.push(seen.outcome(key));
    }
    Ok(outcomes)
}

impl Seen {
    fn outcome(&self, key: &'static str) -> Outcome {
        let shown = |ours, usual| {
            let outcome = Outcome::of_latencies(key, ours, usual);
            outcome.shown.unwrap_or_default()
        };
        let note = format!(
            "{:.0}/s against {:.0}/s; with nothing in memory {} times faster; than one whose requests keep a connection {}",
            self.ours.per_second(),
            self.usual.per_second(),
            shown(&self.ours_bare, &self.usual),
            shown(&self.ours, &self.usual_kept),
        );
        Outcome::of_latencies(key, &self.ours, &self.usual).noted(note)
    }
}

async fn ours(bench: &Bench, server: &Process, viewers: &[Uuid], path: &str) -> Result<Summary> {
    let requests = bench.world.reads(viewers, path);
    let plan = Plan::new(&[&server.address], requests, bench.seconds);
    bench.stack.load(&plan).await
}

async fn theirs(bench: &Bench, server: &Process, viewers: &[Uuid], path: &str) -> Result<Summary> {
    let requests = World::reads_before(viewers, path);
    let plan = Plan::new(&[&server.address], requests, bench.seconds);
    bench.stack.load(&plan).await
}

async fn bare_loop(
    bench: &Bench,
    viewers: &[Uuid],
    statement: &str,
    how: &[&str],
) -> Result<Summary> {
    let (seconds, connections) = (bench.seconds.to_string(), connections());
    let more = [
        "--database-url",
        &bench.database.url,
        "--statement",
        statement,
        "--connections",
        &connections,
        "--warm-up",
        "1",
        "--seconds",
        &seconds,
    ];
    let more = [&more[..], how].concat();
    bench.stack.measure("floor-reads", &viewers, &more).await
}
