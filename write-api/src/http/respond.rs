//! Answers to commands.

use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, SecondsFormat, Utc};
use feedmill_service::Problem;
use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::{domain::Card, lane::Answer};

const POSITION: HeaderName = HeaderName::from_static("feedmill-position");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// An account as it is named beside what it wrote.
#[derive(Debug, Serialize)]
pub struct CardView {
    id: Uuid,
    handle: String,
    display_name: String,
}

impl From<Card> for CardView {
    fn from(
        Card {
            id,
            handle,
            display_name,
        }: Card,
    ) -> Self {
        Self {
            id,
            handle,
            display_name,
        }
    }
}

/// RFC 3339 in UTC with milliseconds.
pub fn time<S: Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// 204.
pub fn done(answer: &Answer) -> Response {
    marked(StatusCode::NO_CONTENT.into_response(), answer)
}

/// 200 with a body.
pub fn ok(answer: &Answer, body: impl Serialize) -> Response {
    marked(Json(body).into_response(), answer)
}

/// 201 with a body, and where the new thing is.
pub fn created(answer: &Answer, location: &str, body: impl Serialize) -> Response {
    let mut response = (StatusCode::CREATED, Json(body)).into_response();
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    marked(response, answer)
}

fn marked(mut response: Response, answer: &Answer) -> Response {
    if !answer.positions.is_empty()
        && let Ok(positions) = HeaderValue::from_str(&answer.positions.to_string())
    {
        response.headers_mut().insert(POSITION, positions);
    }
    replayed(response, answer.replayed)
}

/// Says so if the answer is an earlier one.
pub fn replayed(mut response: Response, replayed: bool) -> Response {
    if replayed {
        response
            .headers_mut()
            .insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

/// A command answered something that is not its own: a defect, or an answer stored by another version.
pub fn mismatch(answer: &Answer) -> Problem {
    #[derive(Debug, thiserror::Error)]
    #[error("a command's answer is of another kind: {0}")]
    struct Mismatch(&'static str);
    use crate::domain::Outcome;
    Problem::internal(&Mismatch(match answer.outcome {
        Outcome::Account { .. } => "account",
        Outcome::Post { .. } => "post",
        Outcome::Conversation { .. } => "conversation",
        Outcome::Message { .. } => "message",
        Outcome::Done => "done",
    }))
}
