//! The uncached feed of a community whose posts have audiences, compared with the bare loop and with an N+1 backend that filters
//! posts one by one.

use anyhow::Result;

use super::{
    community::Community,
    context::{Bench, progress},
    endpoints::FEED,
    equality,
    reads::{Endpoint, Servers, Site},
    rebuild,
    row::Outcome,
};
use crate::data;

/// The accounts, follows and posts are those of the other rows. Half of the root posts are limited.
pub async fn measure(bench: &mut Bench) -> Result<Vec<Outcome>> {
    let size = bench.size;
    let community = Community::import(bench, "private", |out| data::write(size, true, out)).await?;
    let database = &community.database;
    let servers = Servers::start(bench, database, &["--audiences"]).await?;
    let (read_api, n_plus_one) = (&servers.read_api, &servers.n_plus_one);
    let mut queries = 0.0;
    // The second time with cached posts.
    for _ in 0..2 {
        let (dataset, rng) = (&community.dataset, &mut bench.rng);
        queries = equality::check_audiences(dataset, read_api, n_plus_one, rng).await?;
    }
    progress("both sides answer equally for 80 viewers");

    let viewers = community.dataset.some(2_000, &mut bench.rng);
    let endpoint = Endpoint {
        key: "private",
        loop_key: Some("private_loop"),
        path: FEED.to_owned(),
        viewers: &viewers,
    };
    let site = Site {
        servers: &servers,
        database,
        dataset: &community.dataset,
    };
    let mut outcomes = site.measure(bench, &endpoint).await?;
    for outcome in &mut outcomes {
        if outcome.key == "private" {
            outcome.note = format!("{queries:.0} queries on average; {}", outcome.note);
        }
    }
    drop(servers);
    if bench.wants(&["private_rebuild"]) {
        outcomes.push(rebuild::measure_in(bench, database, "private_rebuild").await?);
    }
    bench.stack.drop(community.database).await?;
    Ok(outcomes)
}
