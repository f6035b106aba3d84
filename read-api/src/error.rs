//! All that can go wrong with a read, and what a client is told.

use std::time::Duration;

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use feedmill_service::{FieldError, Problem};

use crate::stream::Full;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What is not there, or what the viewer may not know of.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// Bent, of another list or viewer, or sealed with a key of the past.
    #[error("the cursor is not one of this list; leave it out to begin again")]
    Cursor,
    /// The same, of the id of an event.
    #[error("the event is not one of this stream; leave its id out to begin anew")]
    EventId,
    #[error(transparent)]
    Streams(#[from] Full),
    #[error("the answer is text/event-stream, which the request does not accept")]
    NotAcceptable,
    #[error("some parameters do not fit")]
    Parameters(Vec<FieldError>),
    #[error("the projections have not reached the position within {} s", .0.as_secs())]
    Behind(Duration),
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

impl Error {
    pub fn parameter(name: &str, message: impl Into<String>) -> Self {
        Self::Parameters(vec![FieldError::new(name, message)])
    }
}

/// When a stream may have ended that took somebody's place.
const STREAM_RETRY: Duration = Duration::from_secs(10);

/// What PostgreSQL says while the projector has not made or opened its tables yet: no such schema, no such
/// table, no right to it.
const TABLES_MISSING: [&str; 3] = ["3F000", "42P01", "42501"];

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error {
            Error::NotFound(_) => Self::not_found(detail),
            Error::Cursor => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid_cursor",
                detail.clone(),
            )
            .with_errors(vec![FieldError::new("cursor", detail)]),
            Error::EventId => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid_event_id",
                detail.clone(),
            )
            .with_errors(vec![FieldError::new("Last-Event-ID", detail)]),
            Error::Streams(Full::Account(_)) => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_streams", detail)
                    .with_retry_after(STREAM_RETRY)
            }
            Error::Streams(Full::Service) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_streams", detail)
                    .with_retry_after(STREAM_RETRY)
            }
            Error::NotAcceptable => Self::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", detail),
            Error::Parameters(errors) => Self::fields(errors),
            Error::Behind(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "projection_behind", detail)
                    .with_retry_after(Duration::from_secs(1))
            }
            Error::Sql(sqlx::Error::Database(error))
                if error
                    .code()
                    .is_some_and(|code| TABLES_MISSING.contains(&&*code)) =>
            {
                tracing::warn!(%error, "the read tables are not there yet, or not open to this role");
                Self::unavailable("the read models are not there yet")
            }
            Error::Sql(error) => error.into(),
            Error::Json(error) => Self::internal(&error),
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}
