//! `/v1/conversations…`.

use axum::{Extension, extract::State};
use feedmill_service::extract::{Path, Query};
use uuid::Uuid;

use crate::{
    answer::Answer,
    auth::Viewer,
    error::Error,
    http::Result,
    page::{PageQuery, PageRequest},
    query,
    state::AppState,
    view::{Inbox, Page},
};

pub async fn page(
    State(state): State<AppState>,
    Extension(Viewer(viewer)): Extension<Viewer>,
    Query(page): Query<PageQuery>,
) -> Result {
    let request = PageRequest::new(
        &state.cursors,
        "/v1/conversations".to_owned(),
        viewer,
        &page,
    )?;
    let (listed, unread_total) =
        query::conversation::page(&state.pool, viewer, request.after(), request.rows()).await?;
    let (page, next) = request.fill(listed, |listed| listed.activity);
    let items = page
        .items
        .into_iter()
        .map(|listed| listed.conversation)
        .collect();
    let inbox = Inbox {
        page: Page {
            items,
            next_cursor: page.next_cursor,
        },
        unread_total,
    };
    Ok(Answer::new(&inbox)?.with_next(next.as_deref()))
}

pub async fn messages(
    State(state): State<AppState>,
    Extension(Viewer(viewer)): Extension<Viewer>,
    Path(id): Path<Uuid>,
    Query(page): Query<PageQuery>,
) -> Result {
    let request = PageRequest::new(
        &state.cursors,
        format!("/v1/conversations/{id}/messages"),
        viewer,
        &page,
    )?;
    let messages =
        query::conversation::messages(&state.pool, viewer, id, request.after(), request.rows())
            .await?
            .ok_or(Error::NotFound("conversation"))?;
    let (page, next) = request.fill(messages, |message| message.id);
    Ok(Answer::new(&page)?.with_next(next.as_deref()))
}
