use axum::{extract::State, response::Response};
use chrono::{DateTime, Utc};
use feedmill_service::{Caller, Problem, extract::Path};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    request::{CommandBody, Fields, ReadMark},
    response,
};
use crate::{
    app::App,
    domain::{ConversationCommand, MessageText, Outcome},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewMessage {
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

#[derive(Serialize)]
struct MessageView {
    id: Uuid,
    sender_id: Uuid,
    text: String,
    #[serde(serialize_with = "response::time")]
    created_at: DateTime<Utc>,
}

/// `POST /v1/conversations/{id}/messages`
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

/// `PUT /v1/conversations/{id}/read`
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
