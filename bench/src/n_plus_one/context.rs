//! The database in a request's view, and its errors.

use std::ops::{Deref, DerefMut};

use anyhow::Result;
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use sqlx::{PgConnection, PgPool, Postgres, pool::PoolConnection};
use uuid::Uuid;

/// Request header: the id of the viewer.
pub const VIEWER: &str = "x-viewer";
/// Response header: the number of queries.
pub const QUERIES: &str = "x-queries";

#[derive(Clone)]
pub struct Backend {
    pub pool: PgPool,
    /// Whether a request uses one connection for all its queries.
    pub keep_connection: bool,
}

/// The viewer and the database connection of a request. Counts the queries.
pub struct RequestContext {
    pub viewer: Uuid,
    pool: PgPool,
    kept: Option<PoolConnection<Postgres>>,
    queries: usize,
}

/// A connection for a query.
pub enum Connection<'a> {
    Kept(&'a mut PgConnection),
    Pooled(PoolConnection<Postgres>),
}

impl Deref for Connection<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        match self {
            Self::Kept(connection) => connection,
            Self::Pooled(connection) => connection,
        }
    }
}

impl DerefMut for Connection<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        match self {
            Self::Kept(connection) => connection,
            Self::Pooled(connection) => connection,
        }
    }
}

impl RequestContext {
    pub async fn new(
        State(backend): State<Backend>,
        headers: &HeaderMap,
    ) -> Result<Self, RequestError> {
        let viewer = headers.get(VIEWER).and_then(|value| value.to_str().ok());
        let kept = if backend.keep_connection {
            Some(backend.pool.acquire().await?)
        } else {
            None
        };
        Ok(Self {
            viewer: viewer.unwrap_or_default().parse()?,
            pool: backend.pool,
            kept,
            queries: 0,
        })
    }

    /// A connection for one query. Without `keep_connection`, it is acquired like by `fetch(&pool)`.
    pub async fn connection(&mut self) -> Result<Connection<'_>, RequestError> {
        self.queries += 1;
        Ok(match &mut self.kept {
            Some(connection) => Connection::Kept(connection),
            None => Connection::Pooled(self.pool.acquire().await?),
        })
    }

    pub fn response(&self, view: &impl Serialize) -> Response {
        ([(QUERIES, self.queries.to_string())], Json(view)).into_response()
    }
}

/// Any error: 500 with its text.
pub struct RequestError(anyhow::Error);

impl<E: Into<anyhow::Error>> From<E> for RequestError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for RequestError {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, format!("{:#}", self.0)).into_response()
    }
}
