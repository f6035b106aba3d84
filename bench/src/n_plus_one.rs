//! The N+1 backend: the usual backend that Feedmill replaces, in the same axum and sqlx on the same PostgreSQL.
//!
//! Its tables are normalised and have an index for every query, and each query is efficient. There are just many of
//! them: it reads a list, and then the author and the counts of each item. It uses sqlx like sqlx's and axum's own
//! examples: a pool with default settings, to which every query is passed. With `--keep-connection` a request uses one
//! connection for all its queries, from a pool that does not ping. It trusts the viewer's id in a header, which saves
//! it the verification of tokens.
//!
//! With `--audiences` the feed has only the posts that the viewer sees, as in a community whose posts have audiences. Nobody
//! blocks or mutes anybody there.

mod audience_feed;
mod context;
mod digest;
mod feed;
mod inbox;
mod view;

use std::net::SocketAddr;

use anyhow::Result;
use axum::{Router, routing::get};
use tokio::net::TcpListener;

use self::context::Backend;
pub use self::context::{QUERIES, VIEWER};
use crate::bare;

/// Creates the tables and fills them with the rows of Feedmill's tables.
pub const SCHEMA: &str = include_str!("n_plus_one/schema.sql");

/// The default of sqlx's pool.
const CONNECTIONS: u32 = 10;

/// Serves the feed, the digest and the inbox.
pub async fn serve(
    listen: SocketAddr,
    url: &str,
    keep_connection: bool,
    audiences: bool,
) -> Result<()> {
    let backend = Backend {
        pool: bare::pool(url, CONNECTIONS, "n_plus_one", keep_connection).await?,
        keep_connection,
    };
    let feed = if audiences {
        get(audience_feed::read)
    } else {
        get(feed::read)
    };
    let app = Router::new()
        .route("/health/ready", get(|| async {}))
        .route("/v1/feed", feed)
        .route("/v1/digest", get(digest::read))
        .route("/v1/conversations", get(inbox::read))
        .with_state(backend);
    axum::serve(TcpListener::bind(listen).await?, app).await?;
    Ok(())
}
