//! The feed of a community whose posts are all public: the viewer's followees, their posts, and for each post its author
//! and its counts. A page of 20 takes 42 queries.

use axum::{
    extract::{Query, State},
    http::HeaderMap,
    response::Response,
};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use sqlx::FromRow;
use uuid::Uuid;

use super::{
    context::{Backend, RequestContext, RequestError},
    view::{Page, Post},
};

#[derive(Deserialize)]
pub struct Params {
    pub limit: Option<i64>,
}

/// A row of `posts`.
#[derive(FromRow)]
pub struct Row {
    pub id: Uuid,
    pub author: Uuid,
    pub reply_to: Option<Uuid>,
    pub text: String,
    pub created_at: DateTime<Utc>,
}

pub async fn read(
    backend: State<Backend>,
    headers: HeaderMap,
    Query(params): Query<Params>,
) -> Result<Response, RequestError> {
    let mut context = RequestContext::new(backend, &headers).await?;
    let limit = params.limit.unwrap_or(20);
    let authors = authors(&mut context).await?;
    let mut rows: Vec<Row> = sqlx::query_as(
        "SELECT id, author, reply_to, text, created_at FROM posts
         WHERE author = ANY($1) AND reply_to IS NULL
         ORDER BY id DESC LIMIT $2",
    )
    .bind(authors)
    .bind(limit + 1)
    .fetch_all(&mut *context.connection().await?)
    .await?;
    let more = rows.len() as i64 > limit;
    rows.truncate(limit as usize);
    let mut items = Vec::with_capacity(rows.len());
    for row in rows {
        items.push(post(&mut context, row).await?);
    }
    let next_cursor = items
        .last()
        .filter(|_| more)
        .map(|post| post.id.to_string());
    Ok(context.response(&Page { items, next_cursor }))
}

/// The authors in the viewer's feed, including the viewer. One query.
pub(super) async fn authors(context: &mut RequestContext) -> Result<Vec<Uuid>, RequestError> {
    let viewer = context.viewer;
    let mut authors: Vec<Uuid> =
        sqlx::query_scalar("SELECT followee FROM follows WHERE follower = $1")
            .bind(viewer)
            .fetch_all(&mut *context.connection().await?)
            .await?;
    authors.push(viewer);
    Ok(authors)
}

/// Loads the author and the counts of a public post. Two queries.
pub(super) async fn post(context: &mut RequestContext, row: Row) -> Result<Post, RequestError> {
    let author = sqlx::query_as("SELECT id, handle, display_name FROM accounts WHERE id = $1")
        .bind(row.author)
        .fetch_one(&mut *context.connection().await?)
        .await?;
    let viewer = context.viewer;
    let (like_count, reply_count, liked_by_me) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM likes WHERE post = $1),
                (SELECT count(*) FROM posts WHERE reply_to = $1),
                EXISTS (SELECT FROM likes WHERE post = $1 AND account = $2)",
    )
    .bind(row.id)
    .bind(viewer)
    .fetch_one(&mut *context.connection().await?)
    .await?;
    Ok(Post {
        id: row.id,
        author,
        text: row.text,
        reply_to: row.reply_to,
        created_at: row.created_at,
        edited_at: None,
        like_count,
        reply_count,
        audience: "public",
        tags: None,
        liked_by_me,
    })
}
