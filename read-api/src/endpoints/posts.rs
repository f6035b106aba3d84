//! `/v1/posts/{id}…`, and the tags of all answers that show posts.

use axum::extract::State;
use feedmill_events::Tag;
use feedmill_service::extract::{Path, Query};
use uuid::Uuid;

use super::Result;
use crate::{
    cache::{answer::Answer, answers::Key},
    error::Error,
    http::{
        page::{PageQuery, PageRequest},
        request_context::RequestContext,
        respond::respond,
    },
    sql,
    state::AppState,
    views::{Post, PostPage},
};

/// Get a post
///
/// A deleted post is 404. Replies to it stay, with its id in `reply_to`, and can still be listed.
#[utoipa::path(
    get,
    path = "/v1/posts/{id}",
    operation_id = "getPost",
    tag = "Posts",
    params(("id" = Uuid, Path, description = "The post.")),
    responses((status = 200, body = Post)),
)]
pub async fn one(
    State(state): State<AppState>,
    Path(id): Path<Uuid>,
    context: RequestContext,
) -> Result {
    let key = Key::new(context.viewer, format!("/v1/posts/{id}"));
    let load = || async {
        let post = sql::posts::one(&state.database, context.viewer, id)
            .await?
            .ok_or(Error::NotFound("post"))?;
        let tags = shown(context.viewer, std::slice::from_ref(&post));
        Ok(Answer::new(&post)?.depending_on(tags))
    };
    respond(&state.caches.answers, &context, key, load).await
}

/// List the replies to a post
///
/// The direct ones, oldest first.
#[utoipa::path(
    get,
    path = "/v1/posts/{id}/replies",
    operation_id = "listReplies",
    tag = "Posts",
    params(("id" = Uuid, Path, description = "The post."), PageQuery),
    responses((status = 200, body = PostPage)),
)]
pub async fn replies(
    State(state): State<AppState>,
    Path(id): Path<Uuid>,
    Query(page): Query<PageQuery>,
    context: RequestContext,
) -> Result {
    let viewer = context.viewer;
    let path = format!("/v1/posts/{id}/replies");
    let request = PageRequest::new(&state.cursors, path, viewer, &page)?;
    let load = || async {
        let (seek, rows) = (request.seek(), request.rows());
        let replies = sql::posts::replies(&state.database, viewer, id, seek, rows)
            .await?
            .ok_or(Error::NotFound("post"))?;
        let mut tags = vec![Tag::post(id)];
        tags.extend(shown(viewer, &replies));
        tags.extend(thread_tag(replies.is_empty()));
        let (page, link) = request.page(replies, |post| post.id);
        Answer::page(&page, link, tags)
    };
    respond(&state.caches.answers, &context, request.cache_key(), load).await
}

/// List the ancestors of a post
///
/// What it answers, what that answers, and so on, from the root post down. Deleted ones are left out, and `reply_to` stays. A page
/// takes time in proportion to how deep the post is in its thread.
#[utoipa::path(
    get,
    path = "/v1/posts/{id}/ancestors",
    operation_id = "listAncestors",
    tag = "Posts",
    params(("id" = Uuid, Path, description = "The post."), PageQuery),
    responses((status = 200, body = PostPage)),
)]
pub async fn ancestors(
    State(state): State<AppState>,
    Path(id): Path<Uuid>,
    Query(page): Query<PageQuery>,
    context: RequestContext,
) -> Result {
    let viewer = context.viewer;
    let path = format!("/v1/posts/{id}/ancestors");
    let request = PageRequest::new(&state.cursors, path, viewer, &page)?;
    let load = || async {
        let (seek, rows) = (request.seek(), request.rows());
        let ancestors = sql::ancestors::of_post(&state.database, viewer, id, seek, rows)
            .await?
            .ok_or(Error::NotFound("post"))?;
        // The chain never changes, only which of its posts stand.
        let mut tags = vec![Tag::post(id)];
        tags.extend(shown(viewer, ancestors.iter().map(|(_, post)| post)));
        tags.extend(thread_tag(ancestors.is_empty()));
        let (page, link) = request.page(ancestors, |(distance, _)| *distance);
        Answer::page(&page.map(|(_, post)| post), link, tags)
    };
    respond(&state.caches.answers, &context, request.cache_key(), load).await
}

/// The tag of the audience of the thread that a list belongs to. A list that `is_empty` does not tell the thread.
fn thread_tag(is_empty: bool) -> Option<Tag> {
    is_empty.then(Tag::any_audience)
}

/// The tags of an answer that shows these posts with their authors' names and audiences, because the viewer sees them.
pub fn shown<'a>(
    viewer: Uuid,
    posts: impl IntoIterator<Item = &'a Post>,
) -> impl Iterator<Item = Tag> {
    let posts = posts.into_iter().flat_map(|post| {
        [
            Tag::post(post.id),
            Tag::account_summary(post.author.id),
            Tag::audience(post.root),
        ]
    });
    posts.chain([Tag::access(viewer)])
}
