//! Problem documents (RFC 9457): the format of every error response.

mod code;

use std::{error::Error, fmt, time::Duration};

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::{ToSchema, openapi::Ref};

pub use code::{Code, CodeEntry, codes};

/// A problem lists at most this many errors, so that the response to a bad request is not much larger than the request.
pub const MAX_ERRORS: usize = 20;

/// An error response. `code` is stable and for programs; `detail` is for people.
#[derive(Debug, Clone)]
pub struct Problem {
    pub code: Code,
    pub detail: String,
    pub errors: Vec<FieldError>,
    /// For `Retry-After`, rounded up to seconds.
    pub retry_after: Option<Duration>,
    /// Further headers of the response.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// An error in one field, parameter or header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// The name of a parameter or header, or the path of a field in the body, such as `members[2]`; empty for the whole body.
    #[schema(examples("handle"))]
    pub field: String,
    /// For people.
    #[schema(examples("must have 2 to 30 characters, and has 1"))]
    pub message: String,
}

impl FieldError {
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
        }
    }
}

/// What went wrong (RFC 9457). Programs match on `code`.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemDocument<'a> {
    /// `urn:feedmill:problem:` and the code.
    #[schema(examples("urn:feedmill:problem:invalid_request"))]
    r#type: String,
    /// The code in words.
    #[schema(examples("Invalid request"))]
    title: String,
    /// The status of the response.
    #[schema(examples(422))]
    status: u16,
    /// What went wrong, for people.
    #[schema(examples("handle: must have 2 to 30 characters, and has 1"))]
    detail: &'a str,
    #[schema(schema_with = code_reference)]
    code: &'a str,
    /// The fields that are to blame, if any.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false, min_items = 1, max_items = 20)]
    errors: &'a [FieldError],
}

/// The schema of all codes is made of the lists of all services.
fn code_reference() -> Ref {
    Ref::from_schema_name("ProblemCode")
}

impl Problem {
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
            headers: Vec::new(),
        }
    }

    /// 422 `invalid_request`, for one field.
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::fields(vec![FieldError::new(field, message)])
    }

    /// 422 `invalid_request`, for several fields. Lists the first [`MAX_ERRORS`].
    pub fn fields(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [error] if error.field.is_empty() => error.message.clone(),
            [error] => format!("{}: {}", error.field, error.message),
            errors if errors.len() > MAX_ERRORS => {
                format!("many fields are invalid; these are the first {MAX_ERRORS}")
            }
            _ => "several fields are invalid".to_owned(),
        };
        Self::new(codes::INVALID_REQUEST, detail).with_errors(errors)
    }

    /// Lists the first [`MAX_ERRORS`].
    #[must_use]
    pub fn with_errors(mut self, mut errors: Vec<FieldError>) -> Self {
        errors.truncate(MAX_ERRORS);
        self.errors = errors;
        self
    }

    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// 401 `unauthorized`, with `WWW-Authenticate: Bearer`.
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(codes::UNAUTHORIZED, detail)
    }

    /// 404 `not_found`.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(codes::NOT_FOUND, detail)
    }

    /// 413 `body_too_large`. `limit` is in bytes.
    pub fn too_large(limit: usize) -> Self {
        Self::new(
            codes::BODY_TOO_LARGE,
            format!("the body is larger than {limit} bytes"),
        )
    }

    /// 415 `unsupported_encoding`, with `Accept-Encoding: identity`: the body has a content coding.
    pub fn unsupported_encoding() -> Self {
        Self::new(
            codes::UNSUPPORTED_ENCODING,
            "the body must be sent as it is, without a Content-Encoding",
        )
    }

    /// 500 `internal`. Logs the error with its causes; the response reveals nothing of it.
    pub fn internal(error: &(dyn Error + 'static)) -> Self {
        tracing::error!(error = %WithCauses(error), "http: a request failed with an internal error");
        Self::internal_silent()
    }

    /// 500 `internal`, for an error that was logged before.
    pub(crate) fn internal_silent() -> Self {
        Self::new(
            codes::INTERNAL,
            "an internal error occurred; it has been logged",
        )
    }

    /// A problem that may soon be over, with `Retry-After: 1`.
    pub fn temporary(code: Code, detail: impl Into<String>) -> Self {
        Self::new(code, detail).with_retry_after(Duration::from_secs(1))
    }

    /// The title of the problem type, derived from the code: `Invalid request`.
    pub fn title(&self) -> String {
        let mut title = self.code.name().replace('_', " ");
        if let Some(first) = title.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        title
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, code) = (self.code.status(), self.code.name());
        let document = ProblemDocument {
            r#type: format!("urn:feedmill:problem:{code}"),
            title: self.title(),
            status: status.as_u16(),
            detail: &self.detail,
            code,
            errors: &self.errors,
        };
        // Strings and numbers only: this cannot fail.
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.extend(self.headers);
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.code == codes::UNSUPPORTED_ENCODING {
            // RFC 9110, section 15.5.16: what distinguishes it from a media type that is not supported.
            let identity = HeaderValue::from_static("identity");
            headers.insert(header::ACCEPT_ENCODING, identity);
        }
        if let Some(after) = self.retry_after {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// 503 `database_unavailable` if the database is unavailable, otherwise 500.
impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        if !is_unavailable(&error) {
            return Self::internal(&error);
        }
        tracing::warn!(error = %WithCauses(&error), "http: a request failed because the database is unavailable");
        Self::temporary(
            codes::DATABASE_UNAVAILABLE,
            "the database is unavailable; try again soon",
        )
    }
}

/// Whether a retry may succeed: there is no connection, it was lost, the server is starting, stopping or full, or it
/// cancelled the statement (timeout, deadlock, serialization failure). `Protocol` is what a proxy without its server
/// causes: it accepts a connection and closes it.
fn is_unavailable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::Io(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::Tls(_) => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            // Classes: 08 connection, 53 resources, 57P operator intervention. 57014 is the statement timeout.
            code.starts_with("08")
                || code.starts_with("53")
                || code.starts_with("57P")
                || matches!(&*code, "57014" | "40001" | "40P01" | "55P03" | "25P03")
        }),
        _ => false,
    }
}

/// An error and its causes, in one line.
struct WithCauses<'a>(&'a (dyn Error + 'static));

impl fmt::Display for WithCauses<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.0.to_string();
        f.write_str(&text)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            // Many errors include their cause in their text.
            let next = error.to_string();
            if !text.contains(&next) {
                write!(f, ": {next}")?;
            }
            text = next;
            cause = error.source();
        }
        Ok(())
    }
}
