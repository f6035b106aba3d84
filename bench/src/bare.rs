//! The floor: what this machine and the libraries allow, with nothing of ours around it.

mod answer;
mod reads;
mod writes;

use std::time::{Duration, SystemTime};

use anyhow::Result;
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

pub use answer::serve;
pub use reads::{Reads, reads};
pub use writes::writes;

use crate::summary::{Seen, Summary};

/// A plain pool, open at once. If its connections are to be kept, it asks nothing of one before it hands it out; else
/// it has sqlx's defaults. `jit` is off as in our services: compiling such statements only costs.
pub async fn pool(url: &str, connections: u32, search_path: &str, keep: bool) -> Result<PgPool> {
    let options: PgConnectOptions = url.parse()?;
    let options = options.options([("jit", "off"), ("search_path", search_path)]);
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .min_connections(connections);
    let pool = if keep {
        pool.test_before_acquire(false)
    } else {
        pool
    };
    Ok(pool.connect_with(options).await?)
}

/// Unix milliseconds.
fn now() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(0, |now| now.as_millis() as i64)
}

/// Waits for all tasks; the first error is the result.
async fn together(
    tasks: Vec<tokio::task::JoinHandle<Result<Seen>>>,
    elapsed: Duration,
) -> Result<Summary> {
    let mut all = Vec::new();
    for task in tasks {
        all.push(task.await??);
    }
    Ok(Seen::together(all, elapsed))
}
