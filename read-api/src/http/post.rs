//! `/v1/posts/{id}…`.

use axum::extract::State;
use feedmill_service::extract::{Path, Query};
use uuid::Uuid;

use crate::{
    answer::Answer,
    asked::Asked,
    cache::Key,
    error::Error,
    http::Result,
    page::{NoQuery, PageQuery, PageRequest},
    query,
    respond::respond,
    state::AppState,
    tags,
};

pub async fn one(
    State(state): State<AppState>,
    Path(id): Path<Uuid>,
    Query(NoQuery {}): Query<NoQuery>,
    asked: Asked,
) -> Result {
    let key = Key::of(asked.viewer, format!("/v1/posts/{id}"));
    let load = || async {
        let post = query::post::one(&state.database, asked.viewer, id)
            .await?
            .ok_or(Error::NotFound("post"))?;
        Answer::new(&post, tags::post(&post))
    };
    respond(&state.cache, &asked, key, load).await
}

pub async fn replies(
    State(state): State<AppState>,
    Path(id): Path<Uuid>,
    Query(page): Query<PageQuery>,
    asked: Asked,
) -> Result {
    let viewer = asked.viewer;
    let path = format!("/v1/posts/{id}/replies");
    let request = PageRequest::new(&state.cursors, path, viewer, &page)?;
    let load = || async {
        let (after, rows) = (request.after(), request.rows());
        let replies = query::post::replies(&state.database, viewer, id, after, rows)
            .await?
            .ok_or(Error::NotFound("post"))?;
        let tags = tags::replies(id, &replies);
        let (page, next) = request.fill(replies, |post| post.id);
        Ok(Answer::new(&page, tags)?.with_next(next.as_deref()))
    };
    respond(&state.cache, &asked, request.cache_key(), load).await
}
