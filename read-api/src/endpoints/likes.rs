//! `/v1/posts/{id}/likes` and `/v1/likes`.

use axum::extract::State;
use feedmill_events::Tag;
use feedmill_service::extract::{Path, Query};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Result, posts::shown};
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
    views::{Like, LikePage, PostPage},
};

/// A page of the accounts that like a post, and how many there are.
#[derive(Debug, Serialize, ToSchema)]
struct LikeList {
    #[serde(flatten)]
    page: LikePage,
    /// How many accounts there are on all pages.
    #[schema(minimum = 0)]
    total: i64,
}

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
        let likes = sql::likes::of_post(&state.database, id, request.seek(), request.rows())
            .await?
            .ok_or(Error::NotFound("post"))?;
        // The likes of a post are part of it.
        let mut tags = vec![Tag::post(id)];
        let listed = likes.listed.iter();
        tags.extend(listed.map(|like| Tag::account_summary(like.account.id)));
        let (page, link) =
            request.page(likes.listed, |like: &Like| (like.liked_at, like.account.id));
        let total = likes.total;
        Answer::page(&LikeList { page, total }, link, tags)
    };
    respond(&state.answers, &context, request.cache_key(), load).await
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
        let likes = sql::likes::of_viewer(&state.database, viewer, seek, rows).await?;
        let mut tags = vec![Tag::likes(viewer)];
        tags.extend(shown(likes.iter().map(|(_, post)| post)));
        let (page, link) = request.page(likes, |(at, post)| (*at, post.id));
        Answer::page(&page.map(|(_, post)| post), link, tags)
    };
    respond(&state.answers, &context, request.cache_key(), load).await
}
