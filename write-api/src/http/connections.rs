use axum::{extract::State, response::Response};
use feedmill_service::{Caller, Problem, extract::Path};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{request::CommandRequest, response};
use crate::{
    app::App,
    domain::{ConnectionCommand, ConnectionState, Outcome},
};

/// How the caller and the account are related now.
#[derive(Serialize, ToSchema)]
#[schema(as = ConnectionResult)]
struct ConnectionView {
    state: ConnectionStateView,
}

/// `outgoing`: the caller has asked, and the other account has not answered yet.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ConnectionResultState)]
enum ConnectionStateView {
    Outgoing,
    Connected,
}

/// Ask for a connection, or accept one
///
/// If the account has asked the caller, this accepts. Succeeds also if the caller has asked already, or is connected.
#[utoipa::path(
    put,
    path = "/v1/users/{id}/connection",
    operation_id = "requestConnection",
    tag = "Connections",
    params(("id" = Uuid, Path, description = "The account.")),
    responses((status = 200, body = ConnectionView)),
    extensions(
        ("x-problems" = json!(["self_connection", "request_declined", "too_many_pending_requests"])),
        ("x-quota" = json!("connections")),
    ),
)]
pub async fn request(
    State(app): State<App>,
    Caller(caller): Caller,
    Path(other): Path<Uuid>,
    request: CommandRequest,
) -> Result<Response, Problem> {
    let max_pending = app.max_pending_requests();
    let command = ConnectionCommand::Request { other, max_pending };
    let answer = app.submit(&caller, command, request.key).await?;
    let Outcome::Connection(state) = answer.outcome else {
        return Err(response::mismatch(&answer));
    };
    let state = match state {
        ConnectionState::Outgoing => ConnectionStateView::Outgoing,
        ConnectionState::Connected => ConnectionStateView::Connected,
    };
    Ok(response::ok(&answer, ConnectionView { state }))
}

/// End a connection, withdraw a request, or decline one
///
/// Succeeds also if there is no connection and no request, and if there is no such account. A request that was declined cannot be
/// repeated for 30 days.
#[utoipa::path(
    delete,
    path = "/v1/users/{id}/connection",
    operation_id = "endConnection",
    tag = "Connections",
    params(("id" = Uuid, Path, description = "The account.")),
    responses((status = 204)),
)]
pub async fn end(
    State(app): State<App>,
    Caller(caller): Caller,
    Path(other): Path<Uuid>,
    request: CommandRequest,
) -> Result<Response, Problem> {
    let command = ConnectionCommand::End { other };
    let answer = app.submit(&caller, command, request.key).await?;
    Ok(response::done(&answer))
}
