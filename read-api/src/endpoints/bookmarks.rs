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
    views::Page,
};

/// The viewer's bookmarks, latest first. One statement.
pub async fn page(
    State(state): State<AppState>,
    Query(page): Query<PageQuery>,
    context: RequestContext,
) -> Result {
    let viewer = context.viewer;
    let request = PageRequest::new(&state.cursors, "/v1/bookmarks", viewer, &page)?;
    let load = || async {
        let (before, rows) = (request.after(), request.rows());
        let bookmarks = sql::posts::bookmarks(&state.database, viewer, before, rows).await?;
        let mut tags = vec![Tag::bookmarks(viewer)];
        tags.extend(shown(bookmarks.iter().map(|(_, post)| post)));
        let (page, next) = request.page(bookmarks, |(at, post)| (*at, post.id));
        let Page { items, next_cursor } = page;
        let items = items.into_iter().map(|(_, post)| post).collect();
        Ok(Answer::new(&Page { items, next_cursor })?
            .with_next(next.as_deref())
            .depending_on(tags))
    };
    respond(&state.answers, &context, request.cache_key(), load).await
}
