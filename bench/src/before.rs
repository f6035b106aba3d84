//! The before: the usual backend that Feedmill replaces, in the same axum and sqlx on the same PostgreSQL.
//!
//! Its tables are normalised and have an index for every query, and each of its queries is a good one; there
//! are just many of them, since it does what most do: it reads a list, and then for each of its items who wrote
//! it and what it counts. It uses sqlx as sqlx's and axum's own examples do: a pool with its defaults, which every
//! query is handed to. (With `--keep-connection` a request keeps one connection for all its queries, from a pool
//! that asks nothing of it.) Whoever asks is believed to be who they say, to its advantage.

mod digest;
mod feed;
mod inbox;
mod view;

use std::net::SocketAddr;

use anyhow::Result;
use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Serialize;
use sqlx::{PgConnection, PgPool, Postgres, pool::PoolConnection};
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::floor;

/// Makes its tables and fills them with what Feedmill's hold.
pub const SCHEMA: &str = include_str!("before/schema.sql");
/// Who asks.
pub const VIEWER: &str = "x-viewer";
/// How many queries an answer took.
pub const QUERIES: &str = "x-queries";

/// Serves the feed, the digest and the inbox, with as many connections as read-api has.
pub async fn serve(listen: SocketAddr, url: &str, connections: u32) -> Result<()> {
    let pool = floor::pool(url, connections, "before").await?;
    let app = Router::new()
        .route("/health/ready", get(|| async {}))
        .route("/v1/feed", get(feed::read))
        .route("/v1/digest", get(digest::read))
        .route("/v1/conversations", get(inbox::read))
        .with_state(pool);
    axum::serve(TcpListener::bind(listen).await?, app).await?;
    Ok(())
}

/// A connection that counts what it is asked.
struct Asked {
    connection: PoolConnection<Postgres>,
    queries: usize,
    viewer: Uuid,
}

impl Asked {
    async fn new(State(pool): State<PgPool>, headers: &HeaderMap) -> Result<Self, Failed> {
        let viewer = headers.get(VIEWER).and_then(|value| value.to_str().ok());
        Ok(Self {
            connection: pool.acquire().await?,
            queries: 0,
            viewer: viewer.unwrap_or_default().parse()?,
        })
    }

    /// For one query.
    fn ask(&mut self) -> &mut PgConnection {
        self.queries += 1;
        &mut self.connection
    }

    fn answer(&self, view: &impl Serialize) -> Response {
        ([(QUERIES, self.queries.to_string())], Json(view)).into_response()
    }
}

struct Failed(anyhow::Error);

impl<E: Into<anyhow::Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, format!("{:#}", self.0)).into_response()
    }
}
