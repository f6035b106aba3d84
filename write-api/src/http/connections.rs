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

/// The state of the connection between the caller and the account.
#[derive(Serialize, ToSchema)]
#[schema(as = ConnectionResult)]
struct ConnectionView {
    state: ConnectionStateView,
}

/// `outgoing`: the caller has sent a request, and the other account has not answered it. `connected`: the two are connected.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ConnectionResultState)]
enum ConnectionStateView {
    Outgoing,
    Connected,
}

/// Request a connection, or accept a request
///
/// If the account has sent the caller a request, this accepts it. The request also succeeds if the caller has already sent a
/// request, or is already connected.
#[utoipa::path(
    put,
    path = "/v1/users/{id}/connection",
    operation_id = "requestConnection",
    tag = "Connections",
    params(("id" = Uuid, Path, description = "The account.")),
    responses((status = 200, body = ConnectionView)),
    extensions(
        ("x-problems" = json!(["self_connection", "blocked", "request_declined", "too_many_pending_requests"])),
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

/// End a connection, or withdraw or decline a request
///
/// The request also succeeds if there is no connection and no request, or no such account. A declined request cannot be
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
