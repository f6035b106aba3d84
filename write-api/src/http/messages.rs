use axum::{extract::State, response::Response};
use chrono::{DateTime, Utc};
use feedmill_service::{Caller, Problem, extract::Path};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    request::{CommandBody, CommandRequest, Fields, ReadMark},
    response,
};
use crate::{
    app::App,
    domain::{ConversationCommand, MessageText, Outcome},
};

/// A message to send.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMessage {
    /// May have several lines.
    #[schema(examples("How is the flour?"), min_length = 1, max_length = 5_000)]
    text: String,
}

impl NewMessage {
    fn parse(self) -> Result<MessageText, Problem> {
        let mut fields = Fields::default();
        fields
            .take("text", self.text)
            .ok_or_else(|| fields.problem())
    }
}

/// A message of a conversation.
#[derive(Serialize, ToSchema)]
#[schema(as = Message)]
struct MessageView {
    id: Uuid,
    /// The account that sent it.
    sender_id: Uuid,
    #[schema(examples("How is the flour?"), max_length = 5_000)]
    text: String,
    #[serde(serialize_with = "response::time")]
    created_at: DateTime<Utc>,
}

/// Send a message
///
/// A conversation of two people is closed while one of them blocks the other one: the answer is 409.
#[utoipa::path(
    post,
    path = "/v1/conversations/{id}/messages",
    operation_id = "sendMessage",
    tag = "Conversations",
    params(("id" = Uuid, Path, description = "The conversation.")),
    request_body = NewMessage,
    responses((status = 201, body = MessageView)),
    extensions(("x-problems" = json!(["conversation_closed"])), ("x-quota" = json!("messages"))),
)]
pub async fn create(
    State(app): State<App>,
    Caller(caller): Caller,
    Path(conversation): Path<Uuid>,
    request: CommandBody<NewMessage>,
) -> Result<Response, Problem> {
    let text = request.body.parse()?;
    let command = ConversationCommand::SendMessage { conversation, text };
    let answer = app.submit(&caller, command, request.key).await?;
    let Outcome::Message {
        id,
        sender_id,
        text,
        created_at,
    } = answer.outcome.clone()
    else {
        return Err(response::mismatch(&answer));
    };
    let location = format!("/v1/conversations/{conversation}/messages/{id}");
    Ok(response::created(
        &answer,
        &location,
        MessageView {
            id,
            sender_id,
            text,
            created_at,
        },
    ))
}

/// Mark messages as read
///
/// Up to a message of the conversation. The mark never moves back.
#[utoipa::path(
    put,
    path = "/v1/conversations/{id}/read",
    operation_id = "markMessagesRead",
    tag = "Conversations",
    params(("id" = Uuid, Path, description = "The conversation.")),
    request_body = ReadMark,
    responses((status = 204)),
    extensions(("x-quota" = json!("marks"))),
)]
pub async fn mark_read(
    State(app): State<App>,
    Caller(caller): Caller,
    Path(conversation): Path<Uuid>,
    request: CommandBody<ReadMark>,
) -> Result<Response, Problem> {
    let command = ConversationCommand::MarkRead {
        conversation,
        up_to: request.body.parse()?,
    };
    let answer = app.submit(&caller, command, request.key).await?;
    Ok(response::done(&answer))
}

/// Delete a message of the caller
///
/// The message is deleted for all members. The request also succeeds if there is no such message.
#[utoipa::path(
    delete,
    path = "/v1/conversations/{id}/messages/{message}",
    operation_id = "deleteMessage",
    tag = "Conversations",
    params(
        ("id" = Uuid, Path, description = "The conversation."),
        ("message" = Uuid, Path, description = "The message."),
    ),
    responses((status = 204)),
    extensions(("x-problems" = json!(["not_yours"]))),
)]
pub async fn remove(
    State(app): State<App>,
    Caller(caller): Caller,
    Path((conversation, message)): Path<(Uuid, Uuid)>,
    request: CommandRequest,
) -> Result<Response, Problem> {
    let command = ConversationCommand::DeleteMessage {
        conversation,
        message,
    };
    let answer = app.submit(&caller, command, request.key).await?;
    Ok(response::done(&answer))
}
