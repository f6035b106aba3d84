//! `/v1/notifications`.

use axum::extract::State;
use feedmill_events::Tag;
use feedmill_service::extract::Query;
use serde::Serialize;
use uuid::Uuid;

use super::Result;
use crate::{
    cache::answer::Answer,
    http::{
        page::{PageQuery, PageRequest},
        request_context::RequestContext,
        respond::respond,
    },
    sql,
    state::AppState,
    views::{Notification, Page},
};

#[derive(Debug, Serialize)]
struct NotificationPage {
    #[serde(flatten)]
    page: Page<Notification>,
    /// All notifications, also those on other pages.
    total: i64,
    /// Of all notifications, also those on other pages.
    unread_count: i64,
}

/// The viewer's notifications, newest first. One statement.
pub async fn page(
    State(state): State<AppState>,
    Query(page): Query<PageQuery>,
    context: RequestContext,
) -> Result {
    let viewer = context.viewer;
    let request = PageRequest::new(&state.cursors, "/v1/notifications", viewer, &page)?;
    let load = || async {
        let (seek, rows) = (request.seek(), request.rows());
        let list = sql::notifications::page(&state.database, viewer, seek, rows).await?;
        let tags = tags(viewer, &list.listed);
        let (page, link) = request.page(list.listed, |notification| notification.id);
        let page = NotificationPage {
            page,
            total: list.total,
            unread_count: list.unread_count,
        };
        Answer::page(&page, link, tags)
    };
    respond(&state.answers, &context, request.cache_key(), load).await
}

/// The list with its read mark, the actors' names, and the posts on the page.
fn tags(viewer: Uuid, listed: &[Notification]) -> Vec<Tag> {
    let actors = listed
        .iter()
        .map(|item| Tag::account_summary(item.actor.id));
    let posts = listed.iter().filter_map(|item| item.post.as_ref());
    std::iter::once(Tag::notifications(viewer))
        .chain(actors)
        .chain(posts.map(|post| Tag::post(post.id)))
        .collect()
}
