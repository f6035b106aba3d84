//! Responses to commands, with their position.

use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, SecondsFormat, Utc};
use feedmill_service::Problem;
use serde::{Serialize, Serializer};

use crate::{domain::Outcome, lane::Answer, quota::QuotaState};

const POSITION: HeaderName = HeaderName::from_static("feedmill-position");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// RFC 3339 in UTC with milliseconds.
pub fn time<S: Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// 204.
pub fn done(answer: &Answer) -> Response {
    with_position(StatusCode::NO_CONTENT.into_response(), answer)
}

/// 200 with a body.
pub fn ok(answer: &Answer, body: impl Serialize) -> Response {
    with_position(Json(body).into_response(), answer)
}

/// 201 with a body and the `Location` of the new resource.
pub fn created(answer: &Answer, location: &str, body: impl Serialize) -> Response {
    let mut response = (StatusCode::CREATED, Json(body)).into_response();
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    with_position(response, answer)
}

/// Adds `Feedmill-Position`, `Idempotency-Replayed` if the answer is a stored one, and what is left of the quota.
fn with_position(mut response: Response, answer: &Answer) -> Response {
    let position = answer.position.as_deref().map(HeaderValue::from_str);
    if let Some(Ok(position)) = position {
        response.headers_mut().insert(POSITION, position);
    }
    with_quota(replayed(response, answer.replayed), answer.quota)
}

/// Adds `RateLimit` and `RateLimit-Policy`.
pub fn with_quota(mut response: Response, quota: Option<QuotaState>) -> Response {
    if let Some(quota) = quota {
        response.headers_mut().extend(quota.headers());
    }
    response
}

/// Adds `Idempotency-Replayed` if the response repeats an earlier one.
pub fn replayed(mut response: Response, replayed: bool) -> Response {
    if replayed {
        response
            .headers_mut()
            .insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

/// 500, for an outcome of another kind of command: a defect, or an answer that another version stored.
pub fn mismatch(answer: &Answer) -> Problem {
    #[derive(Debug, thiserror::Error)]
    #[error("a command has the outcome of another kind: {0}")]
    struct Mismatch(&'static str);
    Problem::internal(&Mismatch(match answer.outcome {
        Outcome::Account { .. } => "account",
        Outcome::Post { .. } => "post",
        Outcome::Conversation { .. } => "conversation",
        Outcome::Message { .. } => "message",
        Outcome::Connection(_) => "connection",
        Outcome::Tag { .. } => "tag",
        Outcome::Done => "done",
    }))
}
