use axum::{extract::State, response::Response};
use chrono::{DateTime, Utc};
use feedmill_service::{Caller, Problem, extract::Path};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    request::{Fields, ReadMark, Told},
    respond,
};
use crate::{
    domain::{Command, MessageText, Outcome},
    state::App,
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
    #[serde(serialize_with = "respond::time")]
    created_at: DateTime<Utc>,
}

/// `POST /v1/conversations/{id}/messages`
pub async fn create(
    State(app): State<App>,
    Caller(who): Caller,
    Path(conversation): Path<Uuid>,
    request: Told<NewMessage>,
) -> Result<Response, Problem> {
    let text = request.body.parse()?;
    let answer = app
        .submit(
            &who,
            Command::SendMessage { conversation, text },
            request.key,
        )
        .await?;
    let Outcome::Message {
        id,
        sender_id,
        text,
        created_at,
    } = answer.outcome.clone()
    else {
        return Err(respond::mismatch(&answer));
    };
    let location = format!("/v1/conversations/{conversation}/messages/{id}");
    Ok(respond::created(
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
    Caller(who): Caller,
    Path(conversation): Path<Uuid>,
    request: Told<ReadMark>,
) -> Result<Response, Problem> {
    let up_to = request.body.parse()?;
    let answer = app
        .submit(
            &who,
            Command::MarkRead {
                conversation,
                up_to,
            },
            request.key,
        )
        .await?;
    Ok(respond::done(&answer))
}
