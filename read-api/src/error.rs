//! Everything that can fail a read, and the problem that the client gets.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use feedmill_service::{
    FieldError, Problem,
    problem::{Code, codes},
};

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

feedmill_service::problem_codes! {
    /// The cursor is not one of this list, or belongs to another account.
    INVALID_CURSOR = UNPROCESSABLE_ENTITY, "invalid_cursor";
    /// The `Last-Event-ID` is not one of the caller's stream.
    INVALID_EVENT_ID = UNPROCESSABLE_ENTITY, "invalid_event_id";
    /// The request does not accept `text/event-stream`.
    NOT_ACCEPTABLE = NOT_ACCEPTABLE, "not_acceptable";
    /// The read models did not reach the position in time.
    PROJECTION_BEHIND = SERVICE_UNAVAILABLE, "projection_behind";
    /// The account has as many streams open as it may have.
    TOO_MANY_STREAMS_OF_ACCOUNT = TOO_MANY_REQUESTS, "too_many_streams";
    /// This instance has as many streams open as it may have.
    TOO_MANY_STREAMS = SERVICE_UNAVAILABLE, "too_many_streams";
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
        let in_field = |code: Code, field| {
            Self::new(code, detail.clone())
                .with_errors(vec![FieldError::new(field, detail.clone())])
        };
        match error {
            Error::NotFound(_) => Self::not_found(detail),
            Error::Cursor => in_field(INVALID_CURSOR, "cursor"),
            Error::EventId => in_field(INVALID_EVENT_ID, "Last-Event-ID"),
            Error::TooManyStreamsOfAccount(_) => {
                Self::new(TOO_MANY_STREAMS_OF_ACCOUNT, detail).with_retry_after(STREAM_RETRY_AFTER)
            }
            Error::TooManyStreams => {
                Self::new(TOO_MANY_STREAMS, detail).with_retry_after(STREAM_RETRY_AFTER)
            }
            Error::NotAcceptable => Self::new(NOT_ACCEPTABLE, detail),
            Error::Parameters(errors) => Self::fields(errors),
            Error::ProjectionBehind(_) => Self::temporary(PROJECTION_BEHIND, detail),
            Error::Sql(sqlx::Error::Database(error))
                if error
                    .code()
                    .is_some_and(|code| TABLES_MISSING.contains(&&*code)) =>
            {
                tracing::warn!(
                    %error,
                    "read-api: the read tables are missing or not granted to this role; is the projector running?"
                );
                Self::temporary(codes::UNAVAILABLE, "the read models do not exist yet")
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
