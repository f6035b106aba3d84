use axum::{extract::State, response::Response};
use feedmill_service::{Caller, Problem, extract::Path};
use uuid::Uuid;

use super::{request::CommandRequest, response};
use crate::{app::App, domain::ConversationCommand};

/// Add a member to a group
///
/// By any member. Who is added sees the messages that are written from then on. Succeeds also if the account is a member already. Who has
/// left is added again only by a connection: 409. The conversation that two people have never has other members: 409.
#[utoipa::path(
    put,
    path = "/v1/conversations/{id}/members/{user}",
    operation_id = "addMember",
    tag = "Conversations",
    params(
        ("id" = Uuid, Path, description = "The conversation."),
        ("user" = Uuid, Path, description = "The account to add."),
    ),
    responses((status = 204)),
    extensions(
        ("x-problems" = json!(["conversation_of_two", "conversation_full", "left_conversation"])),
        ("x-quota" = json!("conversations")),
    ),
)]
pub async fn add(
    State(app): State<App>,
    Caller(caller): Caller,
    Path((conversation, account)): Path<(Uuid, Uuid)>,
    request: CommandRequest,
) -> Result<Response, Problem> {
    let command = ConversationCommand::AddMember {
        conversation,
        account,
    };
    let answer = app.submit(&caller, command, request.key).await?;
    Ok(response::done(&answer))
}

/// Leave a group
///
/// The caller's own id is that of the member. Succeeds also if the caller is no member, and if there is no such conversation. Members leave
/// by themselves: another member is 403. What the caller has written stays.
#[utoipa::path(
    delete,
    path = "/v1/conversations/{id}/members/{user}",
    operation_id = "leaveConversation",
    tag = "Conversations",
    params(
        ("id" = Uuid, Path, description = "The conversation."),
        ("user" = Uuid, Path, description = "The caller."),
    ),
    responses((status = 204)),
    extensions(("x-problems" = json!(["not_yours", "conversation_of_two"]))),
)]
pub async fn remove(
    State(app): State<App>,
    Caller(caller): Caller,
    Path((conversation, account)): Path<(Uuid, Uuid)>,
    request: CommandRequest,
) -> Result<Response, Problem> {
    let command = ConversationCommand::RemoveMember {
        conversation,
        account,
    };
    let answer = app.submit(&caller, command, request.key).await?;
    Ok(response::done(&answer))
}
