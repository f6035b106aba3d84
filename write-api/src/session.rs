//! Who somebody is: passwords, and sessions that live by refresh tokens.
//!
//! A session is a family of refresh tokens of which one generation is good. Refreshing makes the next one;
//! an older one that comes again was stolen, or its thief came first, and ends the family. Nothing secret is
//! stored but the password's hash: a refresh token is a statement about a session under a MAC ([`refresh`]).

mod attempts;
mod password;
mod refresh;
mod store;

use std::{sync::Arc, time::Duration};

use feedmill_service::{Database, tokens::Signer};
use serde::Serialize;

pub use attempts::Attempts;
pub use password::{Busy, Hasher};
pub use refresh::RefreshTokens;
pub use store::delete_expired;

use crate::{
    domain::{Handle, Moment, Password},
    lane::IdempotencyKey,
};
use store::Issued;

/// How long a refresh token is good. Each refresh begins it anew.
const REFRESH_TTL: chrono::TimeDelta = chrono::TimeDelta::days(30);

/// What a client gets to go on with.
#[derive(Debug, Serialize)]
pub struct Tokens {
    pub access_token: String,
    pub token_type: &'static str,
    /// Seconds that the access token was good for when it was made.
    pub expires_in: u64,
    pub refresh_token: String,
}

/// Tokens, and whether they are those of an earlier answer to the same idempotency key.
#[derive(Debug)]
pub struct Granted {
    pub tokens: Tokens,
    pub replayed: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// One error for a handle that nobody has and for a wrong password.
    #[error("handle or password is wrong")]
    WrongCredentials,
    /// Not a refresh token of ours, or its time has passed, or its session has ended.
    #[error("the refresh token is not good any more")]
    DeadToken,
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

/// Opens and continues sessions of local accounts.
pub struct Sessions {
    database: Database,
    signer: Signer,
    hasher: Arc<Hasher>,
    refresh: RefreshTokens,
    attempts: Attempts,
    access_ttl: Duration,
}

impl Sessions {
    pub fn new(
        database: Database,
        signer: Signer,
        hasher: Arc<Hasher>,
        access_ttl: Duration,
    ) -> Self {
        let refresh = RefreshTokens::new(signer.derived_secret("refresh tokens"));
        Self {
            database,
            signer,
            hasher,
            refresh,
            attempts: Attempts::default(),
            access_ttl,
        }
    }

    /// A session for whoever knows the password. Takes as long for a handle that does not exist.
    pub async fn log_in(
        &self,
        handle: &Handle,
        password: Password,
        key: Option<&IdempotencyKey>,
        now: Moment,
    ) -> Result<Granted, SessionError> {
        let attempt = self
            .attempts
            .begin(handle.as_str(), now.millis)
            .map_err(SessionError::TooManyAttempts)?;
        let found = store::credentials(&self.database, handle.as_str()).await?;
        let (account, hash) = found.map_or((None, None), |found| {
            (Some(found.account), Some(found.hash))
        });
        let right = self.hasher.verify(password, hash).await?;
        let (Some(account), true) = (account, right) else {
            return Err(SessionError::WrongCredentials);
        };
        attempt.succeeded();
        let issued = store::open(&self.database, account, key, now, now.at() + REFRESH_TTL).await?;
        self.grant(&issued)
    }

    /// The next tokens of a session, for its present refresh token. Of several requests with the same one
    /// the first wins; the next ends the session, unless both carry the same idempotency key.
    pub async fn refresh(
        &self,
        token: &str,
        key: Option<&IdempotencyKey>,
        now: Moment,
    ) -> Result<Granted, SessionError> {
        let (session, generation) = self.refresh.read(token).ok_or(SessionError::DeadToken)?;
        let at = now.at();
        let issued = store::rotate(
            &self.database,
            session,
            generation,
            key,
            at,
            at + REFRESH_TTL,
        )
        .await?;
        self.grant(&issued)
    }

    /// Both tokens are functions of what is stored, so a replay gives the very same.
    fn grant(&self, issued: &Issued) -> Result<Granted, SessionError> {
        let access_token = self.signer.sign(issued.account, self.access_ttl, issued.at);
        let tokens = Tokens {
            access_token: access_token.map_err(|error| SessionError::Signing(error.into()))?,
            token_type: "Bearer",
            expires_in: self.access_ttl.as_secs(),
            refresh_token: self.refresh.write(issued.session, issued.generation),
        };
        Ok(Granted {
            tokens,
            replayed: issued.replayed,
        })
    }
}
