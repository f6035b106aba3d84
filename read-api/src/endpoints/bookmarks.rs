//! `/v1/bookmarks`.

use axum::extract::State;
use feedmill_events::Tag;
use feedmill_service::extract::Query;

use super::{Result, posts::shown};
use crate::{
    cache::answer::Answer,
    http::{
        page::{PageQuery, PageRequest},
        request_context::RequestContext,
        respond::respond,
    },
    sql,
    state::AppState,
    views::PostPage,
};

/// List the caller's bookmarks
///
/// Posts and replies that the caller has bookmarked, latest bookmark first. Nobody else sees them.
#[utoipa::path(
    get,
    path = "/v1/bookmarks",
    operation_id = "listBookmarks",
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
    let request = PageRequest::new(&state.cursors, "/v1/bookmarks", viewer, &page)?;
    let load = || async {
        let (seek, rows) = (request.seek(), request.rows());
        let bookmarks = sql::linked_posts::bookmarks(&state.database, viewer, seek, rows).await?;
        let mut tags = vec![Tag::bookmarks(viewer), Tag::any_audience()];
        tags.extend(shown(viewer, bookmarks.iter().map(|(_, post)| post)));
        let (page, link) = request.page(bookmarks, |(at, post)| (*at, post.id));
        Answer::page(&page.map(|(_, post)| post), link, tags)
    };
    respond(&state.caches.answers, &context, request.cache_key(), load).await
}
