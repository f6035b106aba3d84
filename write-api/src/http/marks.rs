//! `/v1/feed/read` and `/v1/notifications/read`.

use axum::{extract::State, response::Response};
use feedmill_service::{Caller, Identity, Problem};

use super::{
    request::{CommandBody, ReadMark},
    response,
};
use crate::{
    app::App,
    domain::{MarkCommand, MarkedList},
};

/// Mark the feed as read
///
/// `up_to` is the id of a post, or any other id; its time counts. The mark never moves back, and must not be in the future.
#[utoipa::path(
    put,
    path = "/v1/feed/read",
    operation_id = "markFeedRead",
    tag = "Posts",
    request_body = ReadMark,
    responses((status = 204)),
    extensions(("x-quota" = json!("marks"))),
)]
pub async fn feed_read(
    State(app): State<App>,
    Caller(caller): Caller,
    request: CommandBody<ReadMark>,
) -> Result<Response, Problem> {
    mark(&app, &caller, MarkedList::Feed, request).await
}

/// Mark notifications as read
///
/// Up to a notification. The mark never moves back, and must not be in the future.
#[utoipa::path(
    put,
    path = "/v1/notifications/read",
    operation_id = "markNotificationsRead",
    tag = "Notifications",
    request_body = ReadMark,
    responses((status = 204)),
    extensions(("x-quota" = json!("marks"))),
)]
pub async fn notifications_read(
    State(app): State<App>,
    Caller(caller): Caller,
    request: CommandBody<ReadMark>,
) -> Result<Response, Problem> {
    mark(&app, &caller, MarkedList::Notifications, request).await
}

async fn mark(
    app: &App,
    caller: &Identity,
    list: MarkedList,
    request: CommandBody<ReadMark>,
) -> Result<Response, Problem> {
    let up_to = request.body.parse()?;
    let command = MarkCommand { list, up_to };
    let answer = app.submit(caller, command, request.key).await?;
    Ok(response::done(&answer))
}
