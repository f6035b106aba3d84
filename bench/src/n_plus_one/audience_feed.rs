//! The feed of a community whose posts have audiences. After the viewer's followees and connections it reads candidates, a
//! page of posts at a time, and for each of them its tags and whether the viewer is a member, until the page is full. Then it
//! reads the author and the counts of each post on the page.

use std::collections::HashSet;

use axum::{
    extract::{Query, State},
    http::HeaderMap,
    response::Response,
};
use sqlx::FromRow;
use uuid::Uuid;

use super::{
    context::{Backend, RequestContext, RequestError},
    feed,
    view::{Page, Post},
};

/// A row of `posts`.
#[derive(FromRow)]
struct Candidate {
    #[sqlx(flatten)]
    post: feed::Row,
    audience: i16,
}

/// The tags of a post.
struct PostTags {
    /// Ascending.
    tags: Vec<Uuid>,
    /// Whether the viewer is a member of any of them.
    is_member: bool,
}

pub async fn read(
    backend: State<Backend>,
    headers: HeaderMap,
    Query(params): Query<feed::Params>,
) -> Result<Response, RequestError> {
    let mut context = RequestContext::new(backend, &headers).await?;
    let limit = params.limit.unwrap_or(20) as usize;
    let mut authors = feed::authors(&mut context).await?;
    let connections = connections(&mut context).await?;
    authors.extend(&connections);
    authors.sort_unstable();
    authors.dedup();

    let (mut visible, mut before) = (Vec::with_capacity(limit + 1), Uuid::max());
    while visible.len() <= limit {
        let candidates = candidates(&mut context, &authors, before, limit + 1).await?;
        let is_last = candidates.len() <= limit;
        for candidate in candidates {
            before = candidate.post.id;
            let tags = tags(&mut context, candidate.post.id).await?;
            if is_visible(context.viewer, &connections, &candidate, &tags) {
                visible.push((candidate, tags.tags));
            }
        }
        if is_last {
            break;
        }
    }
    let more = visible.len() > limit;
    visible.truncate(limit);
    let mut items = Vec::with_capacity(limit);
    for (candidate, tags) in visible {
        items.push(post(&mut context, candidate, tags).await?);
    }
    let next_cursor = items
        .last()
        .filter(|_| more)
        .map(|post: &Post| post.id.to_string());
    Ok(context.response(&Page { items, next_cursor }))
}

/// One query.
async fn connections(context: &mut RequestContext) -> Result<HashSet<Uuid>, RequestError> {
    let viewer = context.viewer;
    let connections: Vec<Uuid> =
        sqlx::query_scalar("SELECT other FROM connections WHERE account = $1")
            .bind(viewer)
            .fetch_all(&mut *context.connection().await?)
            .await?;
    Ok(connections.into_iter().collect())
}

/// The newest posts of the authors before a post. One query.
async fn candidates(
    context: &mut RequestContext,
    authors: &[Uuid],
    before: Uuid,
    count: usize,
) -> Result<Vec<Candidate>, RequestError> {
    let candidates = sqlx::query_as(
        "SELECT id, author, reply_to, text, created_at, audience FROM posts
         WHERE author = ANY($1) AND reply_to IS NULL AND id < $2
         ORDER BY id DESC LIMIT $3",
    )
    .bind(authors)
    .bind(before)
    .bind(count as i64)
    .fetch_all(&mut *context.connection().await?)
    .await?;
    Ok(candidates)
}

/// One query.
async fn tags(context: &mut RequestContext, post: Uuid) -> Result<PostTags, RequestError> {
    let viewer = context.viewer;
    let tags: Vec<(Uuid, bool)> = sqlx::query_as(
        "SELECT t.tag, EXISTS (SELECT FROM tag_members AS m WHERE m.tag = t.tag AND m.account = $2)
         FROM post_tags AS t WHERE t.post = $1 ORDER BY t.tag",
    )
    .bind(post)
    .bind(viewer)
    .fetch_all(&mut *context.connection().await?)
    .await?;
    Ok(PostTags {
        is_member: tags.iter().any(|(_, is_member)| *is_member),
        tags: tags.into_iter().map(|(tag, _)| tag).collect(),
    })
}

fn is_visible(
    viewer: Uuid,
    connections: &HashSet<Uuid>,
    candidate: &Candidate,
    tags: &PostTags,
) -> bool {
    let author = candidate.post.author;
    author == viewer
        || match candidate.audience {
            0 => true,
            1 => connections.contains(&author),
            2 => tags.is_member,
            _ => false,
        }
}

/// Two queries.
async fn post(
    context: &mut RequestContext,
    candidate: Candidate,
    tags: Vec<Uuid>,
) -> Result<Post, RequestError> {
    let is_own = candidate.post.author == context.viewer;
    let audience = match (candidate.audience, is_own) {
        (0, _) => "public",
        (1, _) => "connections",
        (2, true) => "tags",
        (_, true) => "me",
        (_, false) => "limited",
    };
    Ok(Post {
        audience,
        tags: (audience == "tags").then_some(tags),
        ..feed::post(context, candidate.post).await?
    })
}
