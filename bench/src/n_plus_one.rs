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

use std::{
    net::SocketAddr,
    ops::{Deref, DerefMut},
};

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

/// Of a pool of sqlx's, by default.
const CONNECTIONS: u32 = 10;

/// Serves the feed, the digest and the inbox.
pub async fn serve(listen: SocketAddr, url: &str, keep: bool) -> Result<()> {
    let backend = Backend {
        pool: floor::pool(url, CONNECTIONS, "before", keep).await?,
        keep,
    };
    let app = Router::new()
        .route("/health/ready", get(|| async {}))
        .route("/v1/feed", get(feed::read))
        .route("/v1/digest", get(digest::read))
        .route("/v1/conversations", get(inbox::read))
        .with_state(backend);
    axum::serve(TcpListener::bind(listen).await?, app).await?;
    Ok(())
}

#[derive(Clone)]
struct Backend {
    pool: PgPool,
    /// Whether a request keeps its connection.
    keep: bool,
}

/// The database, as a request sees it; counts what it is asked.
struct Asked {
    pool: PgPool,
    kept: Option<PoolConnection<Postgres>>,
    queries: usize,
    viewer: Uuid,
}

/// A connection for a query.
enum Connection<'a> {
    Kept(&'a mut PgConnection),
    Own(PoolConnection<Postgres>),
}

impl Deref for Connection<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        match self {
            Self::Kept(connection) => connection,
            Self::Own(connection) => connection,
        }
    }
}

impl DerefMut for Connection<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        match self {
            Self::Kept(connection) => connection,
            Self::Own(connection) => connection,
        }
    }
}

impl Asked {
    async fn new(State(backend): State<Backend>, headers: &HeaderMap) -> Result<Self, Failed> {
        let viewer = headers.get(VIEWER).and_then(|value| value.to_str().ok());
        let kept = if backend.keep {
            Some(backend.pool.acquire().await?)
        } else {
            None
        };
        Ok(Self {
            pool: backend.pool,
            kept,
            queries: 0,
            viewer: viewer.unwrap_or_default().parse()?,
        })
    }

    /// For one query. Taking a connection from the pool is what `fetch(&pool)` does.
    async fn ask(&mut self) -> Result<Connection<'_>, Failed> {
        self.queries += 1;
        Ok(match &mut self.kept {
            Some(connection) => Connection::Kept(connection),
            None => Connection::Own(self.pool.acquire().await?),
        })
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
