use axum::{extract::State, response::Response};
use feedmill_service::{Caller, Problem, extract::Path};
use uuid::Uuid;

use super::{request::Plain, respond};
use crate::{domain::Command, state::App};

/// `PUT /v1/users/{id}/follow`
pub async fn add(
    State(app): State<App>,
    Caller(who): Caller,
    Path(user): Path<Uuid>,
    request: Plain,
) -> Result<Response, Problem> {
    let answer = app
        .submit(&who, Command::Follow { user }, request.key)
        .await?;
    Ok(respond::done(&answer))
}

/// `DELETE /v1/users/{id}/follow`
pub async fn remove(
    State(app): State<App>,
    Caller(who): Caller,
    Path(user): Path<Uuid>,
    request: Plain,
) -> Result<Response, Problem> {
    let answer = app
        .submit(&who, Command::Unfollow { user }, request.key)
        .await?;
    Ok(respond::done(&answer))
}
