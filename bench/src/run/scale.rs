//! The latency of a feed read with 10⁴ and with 10⁶ posts.

use anyhow::Result;
use rand::{SeedableRng, rngs::StdRng};

use super::{
    context::{Bench, generate, progress},
    database::Database,
    dataset::Dataset,
    endpoints::FEED,
    process::Process,
    row::{Outcome, Runs},
    stack::CacheMode,
};
use crate::{data::Size, load::Plan};

/// Two communities with the same accounts and follows, one with few posts and one with many. The servers of both run
/// throughout, and the load is on one at a time.
pub async fn measure(bench: &mut Bench) -> Result<Vec<Outcome>> {
    let posts = if bench.quick {
        [10_000, 100_000]
    } else {
        [10_000, 1_000_000]
    };
    let (few, few_dataset, few_api) = community(bench, "few", posts[0]).await?;
    let (many, many_dataset, many_api) = community(bench, "many", posts[1]).await?;
    let (mut ours, mut other) = (Runs::default(), Runs::default());
    for _ in 0..bench.runs {
        for (dataset, server, runs) in [
            (&many_dataset, &many_api, &mut ours),
            (&few_dataset, &few_api, &mut other),
        ] {
            let viewers = dataset.some(2_000, &mut StdRng::seed_from_u64(1));
            let requests = dataset.reads(&viewers, FEED);
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

/// A database whose events are not relayed to NATS: the projector reads them from the log, and stops when all are
/// projected.
async fn community(
    bench: &Bench,
    name: &str,
    posts: usize,
) -> Result<(Database, Dataset, Process)> {
    let size = Size {
        posts,
        ..bench.size
    };
    let database = bench.stack.database(name, None, false).await?;
    progress(
        &bench
            .stack
            .import(&database, &generate(&bench.stack, size)?)
            .await?,
    );
    let started = std::time::Instant::now();
    let projector = bench.stack.projector(&database).await?;
    database.projected().await?;
    progress(&format!(
        "projected all events in {:.1} s",
        started.elapsed().as_secs_f64()
    ));
    projector.stop().await?;
    database.settle().await?;
    let signer =
        feedmill_service::Signer::load_or_create(&bench.stack.key_file(), "feedmill", "feedmill")?;
    let dataset = Dataset::load(&database.pool, &signer).await?;
    let read_api = bench
        .stack
        .read_api(&database, bench.write_api()?, CacheMode::Off)
        .await?;
    Ok((database, dataset, read_api))
}
