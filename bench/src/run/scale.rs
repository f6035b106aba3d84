//! The latency of a feed read with 10⁴ and with 10⁶ posts.

use anyhow::Result;
use rand::{SeedableRng, rngs::StdRng};

use super::{
    community::Community,
    context::Bench,
    endpoints::FEED,
    process::Process,
    row::{Outcome, Runs},
    stack::CacheMode,
};
use crate::{
    data::{self, Size},
    load::Plan,
};

/// Two communities with the same accounts and follows, one with few posts and one with many. The servers of both run
/// throughout, and the load is on one at a time.
pub async fn measure(bench: &mut Bench) -> Result<Vec<Outcome>> {
    let posts = if bench.quick {
        [10_000, 100_000]
    } else {
        [10_000, 1_000_000]
    };
    let (few, few_api) = community(bench, "few", posts[0]).await?;
    let (many, many_api) = community(bench, "many", posts[1]).await?;
    let (mut ours, mut other) = (Runs::default(), Runs::default());
    for _ in 0..bench.runs {
        for (community, server, runs) in
            [(&many, &many_api, &mut ours), (&few, &few_api, &mut other)]
        {
            let viewers = community.dataset.some(2_000, &mut StdRng::seed_from_u64(1));
            let requests = community.dataset.reads(&viewers, FEED);
            let plan = Plan::new(&[&server.address], requests, bench.seconds);
            runs.push(bench.stack.load(&plan).await?);
        }
    }
    drop((few_api, many_api));
    bench.stack.drop(few.database).await?;
    bench.stack.drop(many.database).await?;
    let mut outcome = Outcome::of_latencies("scale", &ours, &other);
    outcome.value = ours.p50() / other.p50();
    outcome.shown = None;
    outcome.note = format!("{} posts against {}", posts[1], posts[0]);
    Ok(vec![outcome])
}

async fn community(bench: &Bench, name: &str, posts: usize) -> Result<(Community, Process)> {
    let size = Size {
        posts,
        ..bench.size
    };
    let community = Community::import(bench, name, |out| data::write(size, false, out)).await?;
    let read_api = bench
        .stack
        .read_api(&community.database, bench.write_api()?, CacheMode::Off)
        .await?;
    Ok((community, read_api))
}
