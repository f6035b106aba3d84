//! A plain pool of sqlx.

use anyhow::Result;
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

/// A pool whose connections are all open. With `keep_connections` its users keep their connections, and it does not
/// ping before it hands one out; otherwise it has sqlx's defaults. `jit` is off as in the services, since compiling
/// such statements only costs time.
pub async fn pool(
    url: &str,
    connections: u32,
    search_path: &str,
    keep_connections: bool,
) -> Result<PgPool> {
    let options: PgConnectOptions = url.parse()?;
    let options = options.options([("jit", "off"), ("search_path", search_path)]);
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .min_connections(connections);
    let pool = if keep_connections {
        pool.test_before_acquire(false)
    } else {
        pool
    };
    Ok(pool.connect_with(options).await?)
}
