use axum::{extract::State, response::Response};
use feedmill_service::{Caller, Problem};

use super::{
    request::{ReadMark, Told},
    respond,
};
use crate::{domain::Command, state::App};

/// `PUT /v1/notifications/read`
pub async fn mark_read(
    State(app): State<App>,
    Caller(who): Caller,
    request: Told<ReadMark>,
) -> Result<Response, Problem> {
    let up_to = request.body.parse()?;
    let answer = app
        .submit(&who, Command::MarkNotificationsRead { up_to }, request.key)
        .await?;
    Ok(respond::done(&answer))
}
