//! Why a session was not opened, continued or ended.

use std::time::Duration;

use super::password::Busy;

#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The same for an unknown handle and for a wrong password, so that handles cannot be probed.
    #[error("handle or password is wrong")]
    WrongCredentials,
    /// The current password of a change.
    #[error("is not the current password")]
    WrongPassword,
    /// Of a new account.
    #[error("the handle is taken")]
    HandleTaken,
    /// The new password of a change.
    #[error("must not be the handle")]
    PasswordIsHandle,
    /// The refresh token is invalid or expired, or its session has ended.
    #[error("the refresh token is not valid any more")]
    InvalidToken,
    /// The answer to be repeated opened a session that has ended since.
    #[error("the session that the key opened has ended; sign in again, with another key")]
    Ended,
    #[error("there is no such session")]
    NotFound,
    #[error("the token's account does not exist")]
    UnknownAccount,
    #[error("too many wrong passwords")]
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
