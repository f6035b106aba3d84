//! `/v1/conversations…`.

use axum::extract::State;
use feedmill_service::extract::{Path, Query};
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
    view::{Inbox, Page},
};

pub async fn page(
    State(state): State<AppState>,
    Query(page): Query<PageQuery>,
    asked: Asked,
) -> Result {
    let viewer = asked.viewer;
    let request = PageRequest::new(&state.cursors, "/v1/conversations", viewer, &page)?;
    let load = || async {
        let (listed, unread_total) =
            query::conversation::page(&state.database, viewer, request.after(), request.rows())
                .await?;
        let tags = tags::conversations(viewer, &listed);
        let (page, next) = request.fill(listed, |listed| listed.activity);
        let items = page.items.into_iter().map(|listed| listed.conversation);
        let inbox = Inbox {
            page: Page {
                items: items.collect(),
                next_cursor: page.next_cursor,
            },
            unread_total,
        };
        Ok(Answer::new(&inbox, tags)?.with_next(next.as_deref()))
    };
    respond(&state.cache, &asked, request.cache_key(), load).await
}

pub async fn messages(
    State(state): State<AppState>,
    Path(id): Path<Uuid>,
    Query(page): Query<PageQuery>,
    asked: Asked,
) -> Result {
    let viewer = asked.viewer;
    let path = format!("/v1/conversations/{id}/messages");
    let request = PageRequest::new(&state.cursors, path, viewer, &page)?;
    let load = || async {
        let (after, rows) = (request.after(), request.rows());
        let messages = query::conversation::messages(&state.database, viewer, id, after, rows)
            .await?
            .ok_or(Error::NotFound("conversation"))?;
        let (page, next) = request.fill(messages, |message| message.id);
        Ok(Answer::new(&page, tags::messages(id))?.with_next(next.as_deref()))
    };
    respond(&state.cache, &asked, request.cache_key(), load).await
}
