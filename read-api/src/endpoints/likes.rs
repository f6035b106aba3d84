//! `/v1/posts/{id}/likes` and `/v1/likes`.

use axum::extract::State;
use feedmill_events::Tag;
use feedmill_service::extract::{Path, Query};
use uuid::Uuid;

use super::{Result, account_lists::account_page, posts::shown};
use crate::{
    cache::answer::Answer,
    error::Error,
    http::{
        page::{PageQuery, PageRequest},
        request_context::RequestContext,
        respond::respond,
    },
    sql,
    state::AppState,
    views::{Like, LikeList, PostPage},
};

/// List who likes a post
///
/// Latest first.
#[utoipa::path(
    get,
    path = "/v1/posts/{id}/likes",
    operation_id = "listLikesOfPost",
    tag = "Posts",
    params(("id" = Uuid, Path, description = "The post."), PageQuery),
    responses((status = 200, body = LikeList)),
)]
pub async fn of_post(
    State(state): State<AppState>,
    Path(id): Path<Uuid>,
    Query(page): Query<PageQuery>,
    context: RequestContext,
) -> Result {
    let path = format!("/v1/posts/{id}/likes");
    let request = PageRequest::new(&state.cursors, path, context.viewer, &page)?;
    let load = || async {
        let (seek, rows) = (request.seek(), request.rows());
        let viewer = context.viewer;
        let found = sql::account_lists::likes_of_post(&state.database, viewer, id, seek, rows);
        let list = found.await?.ok_or(Error::NotFound("post"))?;
        // The likes of a post are part of it. The id does not tell the thread.
        let tags = [Tag::post(id), Tag::access(viewer), Tag::any_audience()];
        account_page(
            &request,
            list,
            tags,
            |key| key,
            |listed| Like {
                account: listed.account,
                liked_at: listed.at,
            },
        )
    };
    respond(&state.caches.answers, &context, request.cache_key(), load).await
}

/// List the posts that the caller likes
///
/// Posts and replies, latest like first.
#[utoipa::path(
    get,
    path = "/v1/likes",
    operation_id = "listLikes",
    tag = "Posts",
    params(PageQuery),
    responses((status = 200, body = PostPage)),
)]
pub async fn page(
    State(state): State<AppState>,
    Query(page): Query<PageQuery>,
    context: RequestContext,
) -> Result {
    let viewer = context.viewer;
    let request = PageRequest::new(&state.cursors, "/v1/likes", viewer, &page)?;
    let load = || async {
        let (seek, rows) = (request.seek(), request.rows());
        let likes = sql::linked_posts::likes(&state.database, viewer, seek, rows).await?;
        let mut tags = vec![Tag::likes(viewer), Tag::any_audience()];
        tags.extend(shown(viewer, likes.iter().map(|(_, post)| post)));
        let (page, link) = request.page(likes, |(at, post)| (*at, post.id));
        Answer::page(&page.map(|(_, post)| post), link, tags)
    };
    respond(&state.caches.answers, &context, request.cache_key(), load).await
}
