//! `/v1/notifications`.

use axum::extract::State;
use feedmill_service::extract::Query;

use crate::{
    answer::Answer,
    asked::Asked,
    http::Result,
    page::{PageQuery, PageRequest},
    query,
    respond::respond,
    state::AppState,
    tags,
    view::Notifications,
};

pub async fn page(
    State(state): State<AppState>,
    Query(page): Query<PageQuery>,
    asked: Asked,
) -> Result {
    let viewer = asked.viewer;
    let request = PageRequest::new(&state.cursors, "/v1/notifications", viewer, &page)?;
    let load = || async {
        let (listed, unread_count) =
            query::notification::page(&state.database, viewer, request.after(), request.rows())
                .await?;
        let tags = tags::notifications(viewer, &listed);
        let (page, next) = request.fill(listed, |notification| notification.id);
        let notifications = Notifications { page, unread_count };
        Ok(Answer::new(&notifications, tags)?.with_next(next.as_deref()))
    };
    respond(&state.cache, &asked, request.cache_key(), load).await
}
