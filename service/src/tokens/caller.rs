//! The caller of a request.

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{HeaderMap, header, request::Parts},
};

use super::{connection_token::ConnectionToken, identity::Identity, verifier::Verifier};
use crate::problem::Problem;

/// The identity in a valid `Authorization: Bearer` header. Anything else is refused with 401, and with 503 while there
/// are no keys to verify with.
#[derive(Debug, Clone)]
pub struct Caller(pub Identity);

impl<S> FromRequestParts<S> for Caller
where
    S: Send + Sync,
    Verifier: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let bearer = bearer(&parts.headers)?;
        let verifier = Verifier::from_ref(state);
        let identity = match parts.extensions.get::<ConnectionToken>() {
            Some(connection) => verifier.verify_on(connection, bearer).await,
            None => verifier.verify(bearer).await,
        };
        Ok(Self(identity?))
    }
}

fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Problem::unauthorized(
            "exactly one header \"Authorization: Bearer <token>\" is needed",
        ));
    };
    value
        .to_str()
        .ok()
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .filter(|token| !token.is_empty())
        .ok_or_else(|| {
            Problem::unauthorized("the header must be \"Authorization: Bearer <token>\"")
        })
}
