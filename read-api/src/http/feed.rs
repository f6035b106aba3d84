//! `/v1/feed`.

use axum::{Extension, extract::State};
use feedmill_service::extract::Query;

use crate::{
    answer::Answer,
    auth::Viewer,
    http::Result,
    page::{PageQuery, PageRequest},
    query,
    state::AppState,
};

pub async fn page(
    State(state): State<AppState>,
    Extension(Viewer(viewer)): Extension<Viewer>,
    Query(page): Query<PageQuery>,
) -> Result {
    let request = PageRequest::new(&state.cursors, "/v1/feed".to_owned(), viewer, &page)?;
    let feed = query::feed::page(&state.pool, viewer, request.after(), request.rows()).await?;
    let (page, next) = request.fill(feed.posts, |post| post.id);
    Ok(Answer::new(&page)?.with_next(next.as_deref()))
}
