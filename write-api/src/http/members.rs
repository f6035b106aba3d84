use axum::{extract::State, response::Response};
use feedmill_service::{Caller, Problem, extract::Path};
use uuid::Uuid;

use super::{request::CommandRequest, response};
use crate::{app::App, domain::ConversationCommand};

/// Add a member to a group
///
/// Any member can add accounts to a group. The new member sees only the messages that are written after that. The request also
/// succeeds if the account is already a member. An account that has left the group can only be added again by a member whom it is
/// connected with; otherwise, the answer is 409. An account may accept only
/// members whom it is connected with (`who_may_message`); for others, the answer is 403. The members of a conversation of two people never change: the answer is 409.
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
        ("x-problems" = json!([
            "blocked", "messages_not_accepted", "conversation_of_two", "conversation_full", "left_conversation",
        ])),
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
/// `user` must be the caller, because nobody can remove another member: the answer is 403. The request also succeeds if the
/// caller is not a member, or the conversation does not exist. The caller's messages stay.
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
