use axum::{extract::State, response::Response};
use feedmill_service::{Caller, Problem};

use super::{
    request::{CommandBody, ReadMark},
    response,
};
use crate::{app::App, domain::NotificationCommand};

/// `PUT /v1/notifications/read`
pub async fn mark_read(
    State(app): State<App>,
    Caller(caller): Caller,
    request: CommandBody<ReadMark>,
) -> Result<Response, Problem> {
    let up_to = request.body.parse()?;
    let command = NotificationCommand::MarkRead { up_to };
    let answer = app.submit(&caller, command, request.key).await?;
    Ok(response::done(&answer))
}
