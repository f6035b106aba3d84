//! Extractors whose rejections are problem documents that name the field.

use axum::{
    extract::{FromRequest, FromRequestParts, Request, path::ErrorKind, rejection::PathRejection},
    http::{HeaderMap, Method, Uri, header, request::Parts},
};
use serde::de::DeserializeOwned;

use crate::problem::{Problem, codes};

mod body;
mod json;

pub(crate) use body::refuse_too_large;
pub use body::{Body, BodyLimit, RouteBodyLimit};
pub use json::parse as parse_json;

/// A JSON object. Rejections: 415 without a JSON content type, 413 if it is too large, 400 if it is not JSON or not
/// UTF-8, 422 if it does not match `T`.
#[derive(Debug, Clone, Copy)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        require_json(request.headers())?;
        let Body(bytes) = Body::from_request(request, state).await?;
        parse_json(&bytes).map(Self)
    }
}

/// Errors: 415 unless the content type is `application/json` or `application/…+json`.
pub fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = content_type.map(|value| {
        value
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase()
    });
    match essence
        .as_deref()
        .and_then(|essence| essence.strip_prefix("application/"))
    {
        Some(kind) if kind == "json" || kind.ends_with("+json") => Ok(()),
        _ => Err(Problem::new(
            codes::UNSUPPORTED_MEDIA_TYPE,
            "the content type must be application/json",
        )),
    }
}

/// The query string. Parameters that `T` does not have are ignored. Rejections: 422 that names the parameter, for a value
/// that does not match and for a parameter that is given twice.
#[derive(Debug, Clone, Copy)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let pairs = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        serde_path_to_error::deserialize(serde_urlencoded::Deserializer::new(pairs))
            .map(Self)
            .map_err(|error| {
                let path = error.path().to_string();
                json::mismatch(&path, &error.into_inner().to_string())
            })
    }
}

/// The parameters of the path. Rejections: 404, since a malformed id names nothing.
#[derive(Debug, Clone, Copy)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(PathRejection::FailedToDeserializePathParams(error))
                if !matches!(
                    error.kind(),
                    ErrorKind::WrongNumberOfParameters { .. } | ErrorKind::UnsupportedType { .. }
                ) =>
            {
                Err(Problem::not_found("there is nothing with this id"))
            }
            Err(error) => Err(Problem::internal(&error)),
        }
    }
}

/// For `Router::fallback`.
pub async fn not_found_fallback(uri: Uri) -> Problem {
    Problem::not_found(format!("there is nothing at {}", uri.path()))
}

/// For `Router::method_not_allowed_fallback`; axum adds the `Allow` header.
pub async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    Problem::new(
        codes::METHOD_NOT_ALLOWED,
        format!("{} does not support {method}", uri.path()),
    )
}
