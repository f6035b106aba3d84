//! Whether a feed read costs more where there are a hundred times as many posts.

use anyhow::Result;
use rand::{SeedableRng, rngs::StdRng};

use super::{
    Bench, World, generate,
    process::Process,
    row::{Outcome, Runs},
    same::FEED,
    say,
    stack::{Database, Memory},
};
use crate::{data::Size, load::Plan};

/// Two communities with the same people who follow the same people, one with few posts and one with many. The
/// servers of both run at once, and only one is asked at a time.
pub async fn measure(bench: &mut Bench) -> Result<Vec<Outcome>> {
    let posts = if bench.quick {
        [10_000, 100_000]
    } else {
        [10_000, 1_000_000]
    };
    let (few, few_world, few_api) = community(bench, "few", posts[0]).await?;
    let (many, many_world, many_api) = community(bench, "many", posts[1]).await?;
    let (mut ours, mut other) = (Runs::default(), Runs::default());
    for _ in 0..bench.runs {
        for (world, server, runs) in [
            (&many_world, &many_api, &mut ours),
            (&few_world, &few_api, &mut other),
        ] {
            let viewers = world.some(2_000, &mut StdRng::seed_from_u64(1));
            let requests = world.reads(&viewers, FEED);
            let plan = Plan::new(&[&server.address], requests, bench.seconds);
            runs.push(bench.stack.load(&plan).await?);
        }
    }
    drop((few_api, many_api));
    bench.stack.drop(few).await?;
    bench.stack.drop(many).await?;
    let mut outcome = Outcome::of_latencies("scale", &ours, &other);
    outcome.value = ours.p50() / other.p50();
    outcome.shown = None;
    outcome.note = format!("{} posts against {}", posts[1], posts[0]);
    Ok(vec![outcome])
}

/// A database without a stream: the projector reads the log, and has read all of it before anything is measured.
async fn community(bench: &Bench, name: &str, posts: usize) -> Result<(Database, World, Process)> {
    let size = Size {
        posts,
        ..bench.size
    };
    let database = bench.stack.database(name, None, false).await?;
    say(&bench
        .stack
        .import(&database, &generate(&bench.stack, size)?)
        .await?);
    let began = std::time::Instant::now();
    let projector = bench.stack.projector(&database).await?;
    database.projected().await?;
    say(&format!(
        "projected in {:.1} s",
        began.elapsed().as_secs_f64()
    ));
    projector.stop().await?;
    database.settle().await?;
    let signer =
        feedmill_service::Signer::load_or_create(&bench.stack.key_file(), "feedmill", "feedmill")?;
    let world = World::load(&database.pool, &signer).await?;
    let read_api = bench
        .stack
        .read_api(&database, bench.write_api()?, Memory::Nothing)
        .await?;
    Ok((database, world, read_api))
}
