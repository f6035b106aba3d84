//! The caller of a request.

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{HeaderMap, header, request::Parts},
};

use super::{Identity, TokenError, Verifier};
use crate::problem::Problem;

/// Whoever a valid `Authorization: Bearer` names; anything else is 401, and 503 while there is no key to
/// verify with.
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
        Ok(Verifier::from_ref(state).verify(bearer).await.map(Self)?)
    }
}

fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Problem::unauthorized(
            "one header \"Authorization: Bearer <token>\" is needed",
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

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::NoKeys => {
                Self::unavailable("the keys that tokens are signed with are not known yet")
            }
            error => Self::unauthorized(error.to_string()),
        }
    }
}
