//! Why a session was not opened or continued.

use std::time::Duration;

use super::password::Busy;

#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The same for an unknown handle and for a wrong password, so that handles cannot be probed.
    #[error("handle or password is wrong")]
    WrongCredentials,
    /// The refresh token is invalid or expired, or its session has ended.
    #[error("the refresh token is not valid any more")]
    InvalidToken,
    #[error("too many attempts for this handle")]
    TooManyAttempts(Duration),
    #[error("the key was used for another request")]
    KeyReused,
    #[error(transparent)]
    Busy(#[from] Busy),
    #[error("a token cannot be signed")]
    Signing(Box<dyn std::error::Error + Send + Sync>),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}
