//! What a page answers when it cannot do what was asked.

use std::fmt;

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};

use crate::error::ApplyError;

/// Also an extension of its response, until `guard` has made a page of it.
#[derive(Debug, Clone)]
pub struct PageError {
    pub status: StatusCode,
    pub message: String,
}

impl PageError {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { status, message }
    }

    /// A field or a parameter is wrong. `problem` follows its name.
    pub fn field(name: &str, problem: &str) -> Self {
        let is_verb = ["is ", "has "].iter().any(|verb| problem.starts_with(verb));
        let separator = if is_verb { " " } else { ": " };
        Self::new(
            StatusCode::BAD_REQUEST,
            format!("{name}{separator}{problem}."),
        )
    }

    pub fn not_found(what: impl fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("There is no {what}."))
    }

    pub fn forbidden(message: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, message)
    }

    /// The state of things does not allow it.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, message)
    }

    pub fn busy(message: &str) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, message)
    }

    fn unavailable(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::warn!(error, "console: PostgreSQL did not answer a page");
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "PostgreSQL does not answer, or refuses the statement; the log of the projector says why.",
        )
    }
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<sqlx::Error> for PageError {
    fn from(error: sqlx::Error) -> Self {
        Self::unavailable(&error)
    }
}

/// An error of an operator's command: its message is for operators, unless PostgreSQL is the reason.
impl From<anyhow::Error> for PageError {
    fn from(error: anyhow::Error) -> Self {
        let is_sql = |cause: &(dyn std::error::Error + 'static)| {
            cause.is::<sqlx::Error>()
                || matches!(
                    cause.downcast_ref(),
                    Some(ApplyError::Log(_) | ApplyError::Sql(_))
                )
        };
        match error.chain().find(|cause| is_sql(*cause)) {
            Some(cause) => Self::unavailable(cause),
            None => Self::conflict(format!("{error:#}.")),
        }
    }
}

impl From<askama::Error> for PageError {
    fn from(error: askama::Error) -> Self {
        tracing::error!(%error, "console: cannot render a page");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The page cannot be rendered.",
        )
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.message.clone()).into_response();
        response.extensions_mut().insert(self);
        response
    }
}
