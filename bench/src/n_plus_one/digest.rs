//! The digest of a week: a query for each counter, one for the top posts, and two for each top post. With 50 posts it
//! takes 106 queries.

use axum::{
    extract::{Query, State},
    http::HeaderMap,
    response::Response,
};
use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, Utc};
use feedmill_events::id;
use serde::Deserialize;
use sqlx::FromRow;
use uuid::Uuid;

use super::{
    context::{Backend, RequestContext, RequestError},
    feed,
    view::{Counters, Digest},
};

#[derive(Deserialize)]
pub struct Params {
    date: NaiveDate,
}

#[derive(FromRow)]
struct Ranked {
    #[sqlx(flatten)]
    post: feed::Row,
    posts: i64,
}

pub async fn read(
    backend: State<Backend>,
    headers: HeaderMap,
    Query(params): Query<Params>,
) -> Result<Response, RequestError> {
    let mut context = RequestContext::new(backend, &headers).await?;
    let viewer = context.viewer;
    let monday = params.date - Days::new(u64::from(params.date.weekday().num_days_from_monday()));
    let (from, to) = (midnight(monday), midnight(monday + Days::new(7)));

    let authors = feed::authors(&mut context).await?;
    let ranked: Vec<Ranked> = sqlx::query_as(
        "SELECT p.id, p.author, p.reply_to, p.text, p.created_at, count(*) OVER () AS posts
         FROM posts AS p
         WHERE p.author = ANY($1) AND p.reply_to IS NULL AND p.id >= $2 AND p.id < $3
         ORDER BY 3 * (SELECT count(*) FROM posts AS r WHERE r.reply_to = p.id)
             + (SELECT count(*) FROM likes WHERE post = p.id) DESC, p.id DESC
         LIMIT 50",
    )
    .bind(authors)
    .bind(first_id(from))
    .bind(first_id(to))
    .fetch_all(&mut *context.connection().await?)
    .await?;
    let (likes_received, replies_received) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM posts AS p JOIN likes AS l ON l.post = p.id
                 WHERE p.author = $1 AND l.account <> $1 AND l.created_at >= $2 AND l.created_at < $3),
                (SELECT count(*) FROM posts AS p JOIN posts AS r ON r.reply_to = p.id
                 WHERE p.author = $1 AND r.author <> $1 AND r.created_at >= $2 AND r.created_at < $3)",
    )
    .bind(viewer)
    .bind(from)
    .bind(to)
    .fetch_one(&mut *context.connection().await?)
    .await?;
    let new_followers = sqlx::query_scalar(
        "SELECT count(*) FROM follows WHERE followee = $1 AND created_at >= $2 AND created_at < $3",
    )
    .bind(viewer)
    .bind(from)
    .bind(to)
    .fetch_one(&mut *context.connection().await?)
    .await?;
    let new_connections = sqlx::query_scalar(
        "SELECT count(*) FROM connections WHERE account = $1 AND created_at >= $2 AND created_at < $3",
    )
    .bind(viewer)
    .bind(from)
    .bind(to)
    .fetch_one(&mut *context.connection().await?)
    .await?;
    let messages_received = sqlx::query_scalar(
        "SELECT count(*) FROM members AS m JOIN messages AS s ON s.conversation = m.conversation
         WHERE m.account = $1 AND s.sender <> $1 AND s.id >= $2 AND s.id < $3",
    )
    .bind(viewer)
    .bind(first_id(from))
    .bind(first_id(to))
    .fetch_one(&mut *context.connection().await?)
    .await?;

    let counters = Counters {
        posts: ranked.first().map_or(0, |ranked| ranked.posts),
        likes_received,
        replies_received,
        new_followers,
        new_connections,
        messages_received,
    };
    let mut top_posts = Vec::with_capacity(ranked.len());
    for Ranked { post, .. } in ranked {
        top_posts.push(feed::post(&mut context, post).await?);
    }
    Ok(context.response(&Digest {
        period: "week",
        from,
        to,
        counters,
        top_posts,
    }))
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

fn first_id(time: DateTime<Utc>) -> Uuid {
    id::first_of(time.timestamp_millis())
}
