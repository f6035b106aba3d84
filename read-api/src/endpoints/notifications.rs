//! `/v1/notifications`.

use axum::extract::State;
use feedmill_events::Tag;
use feedmill_service::extract::Query;
use serde::Serialize;
use utoipa::ToSchema;
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
    views::{Notification, NotificationPage},
};

/// A page of the caller's notifications, and how many there are.
#[derive(Debug, Serialize, ToSchema)]
struct NotificationList {
    #[serde(flatten)]
    page: NotificationPage,
    /// How many notifications there are on all pages.
    #[schema(minimum = 0)]
    total: i64,
    /// How many notifications of all pages are unread.
    #[schema(minimum = 0)]
    unread_count: i64,
}

/// List the caller's notifications
///
/// Newest first. What was undone or deleted is not in the list, nor what accounts did that the caller mutes.
#[utoipa::path(
    get,
    path = "/v1/notifications",
    operation_id = "listNotifications",
    tag = "Notifications",
    params(PageQuery),
    responses((status = 200, body = NotificationList)),
)]
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
        let page = NotificationList {
            page,
            total: list.total,
            unread_count: list.unread_count,
        };
        Answer::page(&page, link, tags)
    };
    respond(&state.caches.answers, &context, request.cache_key(), load).await
}

/// The list with its read mark, whom the viewer mutes, what the viewer may see, the actors' names, and the posts on the page.
fn tags(viewer: Uuid, listed: &[Notification]) -> Vec<Tag> {
    let actors = listed
        .iter()
        .map(|item| Tag::account_summary(item.actor.id));
    let posts = listed.iter().filter_map(|item| item.act.post());
    // Another audience of a thread changes the lists of posts of all who have posts in it.
    let own = [Tag::notifications, Tag::mutes, Tag::access, Tag::posts_of];
    own.map(|tag| tag(viewer))
        .into_iter()
        .chain(actors)
        .chain(posts.map(|post| Tag::post(post.id)))
        .collect()
}
