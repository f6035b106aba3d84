//! `/v1/posts/{id}…`.

use axum::{Extension, extract::State};
use feedmill_service::extract::{Path, Query};
use uuid::Uuid;

use crate::{
    answer::Answer,
    auth::Viewer,
    error::Error,
    http::Result,
    page::{NoQuery, PageQuery, PageRequest},
    query,
    state::AppState,
};

pub async fn one(
    State(state): State<AppState>,
    Extension(Viewer(viewer)): Extension<Viewer>,
    Path(id): Path<Uuid>,
    Query(NoQuery {}): Query<NoQuery>,
) -> Result {
    let post = query::post::one(&state.pool, viewer, id)
        .await?
        .ok_or(Error::NotFound("post"))?;
    Answer::new(&post)
}

pub async fn replies(
    State(state): State<AppState>,
    Extension(Viewer(viewer)): Extension<Viewer>,
    Path(id): Path<Uuid>,
    Query(page): Query<PageQuery>,
) -> Result {
    let request = PageRequest::new(
        &state.cursors,
        format!("/v1/posts/{id}/replies"),
        viewer,
        &page,
    )?;
    let replies = query::post::replies(&state.pool, viewer, id, request.after(), request.rows())
        .await?
        .ok_or(Error::NotFound("post"))?;
    let (page, next) = request.fill(replies, |post| post.id);
    Ok(Answer::new(&page)?.with_next(next.as_deref()))
}
