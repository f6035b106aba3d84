//! Why a token is refused.

use jsonwebtoken::errors::ErrorKind;

use crate::problem::{Problem, codes};

/// The reason that a token is refused. Clients see the texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("the token is malformed")]
    Malformed,
    #[error("the token is signed with an unknown key")]
    UnknownKey,
    #[error("the token is signed with an algorithm that is not accepted")]
    Algorithm,
    #[error("the token has critical header parameters (crit), none of which is supported")]
    Critical,
    #[error("the token's signature is invalid")]
    Signature,
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    NotYet,
    #[error("the token is from another issuer")]
    Issuer,
    #[error("the token is for another audience")]
    Audience,
    #[error(
        "the token lacks one of the claims exp, iss, aud and sub, or one of its claims is malformed"
    )]
    Claim,
    #[error("the token's subject is not an account")]
    Subject,
    /// The session of the token has ended: its user signed out, changed the password, or was signed out.
    #[error("the session of the token has ended; sign in again")]
    SessionEnded,
    /// Not the token's fault: no key set has been fetched so far.
    #[error("the key set for verifying tokens has not been fetched yet")]
    NoKeys,
}

impl From<&ErrorKind> for TokenError {
    fn from(kind: &ErrorKind) -> Self {
        match kind {
            ErrorKind::ExpiredSignature => Self::Expired,
            ErrorKind::ImmatureSignature => Self::NotYet,
            ErrorKind::InvalidIssuer => Self::Issuer,
            ErrorKind::InvalidAudience => Self::Audience,
            ErrorKind::MissingRequiredClaim(_) | ErrorKind::InvalidClaimFormat(_) => Self::Claim,
            ErrorKind::InvalidAlgorithm | ErrorKind::UnsupportedAlgorithm => Self::Algorithm,
            ErrorKind::InvalidSignature => Self::Signature,
            _ => Self::Malformed,
        }
    }
}

/// 401 `unauthorized`, or `session_ended` if a new sign-in is needed; 503 while there are no keys to verify with.
impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::NoKeys => Self::temporary(codes::UNAVAILABLE, error.to_string()),
            TokenError::SessionEnded => Self::new(codes::SESSION_ENDED, error.to_string()),
            error => Self::unauthorized(error.to_string()),
        }
    }
}
