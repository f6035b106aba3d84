//! `/v1/notifications`.

use axum::{Extension, extract::State};
use feedmill_service::extract::Query;

use crate::{
    answer::Answer,
    auth::Viewer,
    http::Result,
    page::{PageQuery, PageRequest},
    query,
    state::AppState,
    view::Notifications,
};

pub async fn page(
    State(state): State<AppState>,
    Extension(Viewer(viewer)): Extension<Viewer>,
    Query(page): Query<PageQuery>,
) -> Result {
    let request = PageRequest::new(
        &state.cursors,
        "/v1/notifications".to_owned(),
        viewer,
        &page,
    )?;
    let (listed, unread_count) =
        query::notification::page(&state.pool, viewer, request.after(), request.rows()).await?;
    let (page, next) = request.fill(listed, |notification| notification.id);
    let notifications = Notifications { page, unread_count };
    Ok(Answer::new(&notifications)?.with_next(next.as_deref()))
}
