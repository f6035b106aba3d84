//! `/v1/feed`.

use axum::extract::State;
use feedmill_service::extract::Query;
use uuid::Uuid;

use crate::{
    answer::Answer,
    asked::Asked,
    error::Error,
    http::Result,
    page::{PageQuery, PageRequest},
    query,
    respond::respond,
    state::AppState,
    tags,
};

pub const PATH: &str = "/v1/feed";

pub async fn page(
    State(state): State<AppState>,
    Query(page): Query<PageQuery>,
    asked: Asked,
) -> Result {
    let request = PageRequest::new(&state.cursors, PATH, asked.viewer, &page)?;
    let load = || load(&state, &request);
    respond(&state.cache, &asked, request.cache_key(), load).await
}

pub async fn load(
    state: &AppState,
    request: &PageRequest<'_, Uuid>,
) -> std::result::Result<Answer, Error> {
    let viewer = request.viewer();
    let feed = query::feed::page(&state.pool, viewer, request.after(), request.rows()).await?;
    let tags = tags::feed(viewer, &feed);
    let (page, next) = request.fill(feed.posts, |post| post.id);
    Ok(Answer::new(&page, tags)?.with_next(next.as_deref()))
}
