use axum::{extract::State, response::Response};
use feedmill_service::{Caller, Problem, extract::Path};
use uuid::Uuid;

use super::{request::CommandRequest, response};
use crate::{app::App, domain::BlockCommand};

/// Block an account
///
/// Neither of the two sees the other one from now on. Follows, the connection, connection requests and tag memberships between the
/// two end. Likes, mutes and groups that both are members of stay. The request also succeeds if the caller already blocks the account,
/// and if the account blocks the caller.
#[utoipa::path(
    put,
    path = "/v1/users/{id}/block",
    operation_id = "blockUser",
    tag = "Accounts",
    params(("id" = Uuid, Path, description = "The account.")),
    responses((status = 204)),
    extensions(("x-problems" = json!(["self_block"])), ("x-quota" = json!("reactions"))),
)]
pub async fn block(
    State(app): State<App>,
    Caller(caller): Caller,
    Path(other): Path<Uuid>,
    request: CommandRequest,
) -> Result<Response, Problem> {
    let command = BlockCommand::Block { other };
    let answer = app.submit(&caller, command, request.key).await?;
    Ok(response::done(&answer))
}

/// Stop blocking an account
///
/// What the block has ended does not come back. The request also succeeds if the caller does not block the account, or the account
/// does not exist.
#[utoipa::path(
    delete,
    path = "/v1/users/{id}/block",
    operation_id = "unblockUser",
    tag = "Accounts",
    params(("id" = Uuid, Path, description = "The account.")),
    responses((status = 204)),
)]
pub async fn unblock(
    State(app): State<App>,
    Caller(caller): Caller,
    Path(other): Path<Uuid>,
    request: CommandRequest,
) -> Result<Response, Problem> {
    let command = BlockCommand::Unblock { other };
    let answer = app.submit(&caller, command, request.key).await?;
    Ok(response::done(&answer))
}
