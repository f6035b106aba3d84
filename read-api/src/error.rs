//! Everything that can fail a read, and the problem that the client gets.

use std::time::Duration;

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use feedmill_service::{FieldError, Problem};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The named thing does not exist, or the viewer may not know that it does.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// Altered, made for another list or viewer, or signed with an old key.
    #[error("the cursor is not one of this list; omit it to start from the beginning")]
    Cursor,
    /// As [`Error::Cursor`], for a `Last-Event-ID`.
    #[error("the event ID is not one of this stream; omit it to start a new stream")]
    EventId,
    #[error("this account has {0} streams open; close one first")]
    TooManyStreamsOfAccount(usize),
    #[error("this server has too many streams open")]
    TooManyStreams,
    #[error("the response is text/event-stream, which the request does not accept")]
    NotAcceptable,
    #[error("the request has invalid parameters")]
    Parameters(Vec<FieldError>),
    #[error("the projections have not reached the position within {} s", .0.as_secs())]
    ProjectionBehind(Duration),
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

/// `Retry-After` when too many streams are open: some of them may have ended by then.
const STREAM_RETRY_AFTER: Duration = Duration::from_secs(10);

/// What PostgreSQL reports before the projector has created its tables and granted access: `invalid_schema_name`,
/// `undefined_table`, `insufficient_privilege`.
const TABLES_MISSING: [&str; 3] = ["3F000", "42P01", "42501"];

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        let unprocessable = |code, field| {
            Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail.clone())
                .with_errors(vec![FieldError::new(field, detail.clone())])
        };
        match error {
            Error::NotFound(_) => Self::not_found(detail),
            Error::Cursor => unprocessable("invalid_cursor", "cursor"),
            Error::EventId => unprocessable("invalid_event_id", "Last-Event-ID"),
            Error::TooManyStreamsOfAccount(_) => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_streams", detail)
                    .with_retry_after(STREAM_RETRY_AFTER)
            }
            Error::TooManyStreams => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_streams", detail)
                    .with_retry_after(STREAM_RETRY_AFTER)
            }
            Error::NotAcceptable => Self::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", detail),
            Error::Parameters(errors) => Self::fields(errors),
            Error::ProjectionBehind(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "projection_behind", detail)
                    .with_retry_after(Duration::from_secs(1))
            }
            Error::Sql(sqlx::Error::Database(error))
                if error
                    .code()
                    .is_some_and(|code| TABLES_MISSING.contains(&&*code)) =>
            {
                tracing::warn!(
                    %error,
                    "read-api: the read tables are missing or not granted to this role; is the projector running?"
                );
                Self::unavailable("the read models do not exist yet")
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
