//! What every endpoint knows about a request, whatever it is for.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
};
use feedmill_service::{Identity, http::etag};
use uuid::Uuid;

use super::accept_encoding::preferred_encoding;
use crate::{cache::encoding::Encoding, newcomer::Newcomer};

/// Made by the gate (`auth`) and extracted by the handler.
#[derive(Debug, Clone)]
pub struct RequestContext {
    /// The account of the token.
    pub viewer: Uuid,
    /// The session of the token, if it has one.
    pub session: Option<Uuid>,
    /// When the token expires, in Unix seconds.
    pub token_expires: u64,
    /// The viewer, if the account may not exist yet.
    pub newcomer: Option<Newcomer>,
    /// The projections have applied the requested position, but its changes may not be recorded in the tag versions: a
    /// fresh cache entry may be without them.
    pub bypass_cache: bool,
    pub encoding: Encoding,
    if_none_match: Vec<HeaderValue>,
}

impl RequestContext {
    pub fn new(identity: Identity, bypass_cache: bool, headers: &HeaderMap) -> Self {
        let if_none_match = headers.get_all(header::IF_NONE_MATCH);
        Self {
            viewer: identity.account,
            session: identity.session,
            token_expires: identity.expires,
            newcomer: Newcomer::of(identity),
            bypass_cache,
            encoding: preferred_encoding(headers),
            if_none_match: if_none_match.into_iter().cloned().collect(),
        }
    }

    /// Whether the client has the body with this `ETag` already.
    pub fn client_has(&self, etag: &HeaderValue) -> bool {
        etag::is_known(&self.if_none_match, etag)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for RequestContext {
    /// The route has no gate.
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        let context = parts.extensions.remove();
        context.ok_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}
