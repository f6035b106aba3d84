//! Local accounts: passwords, and sessions with rotating refresh tokens.
//!
//! A session is a family of refresh tokens, of which one generation is valid. A refresh issues the next generation. If an
//! older one is used again, it or its successor was stolen, and the session ends. No secret is stored except password
//! hashes: a refresh token is the session and the generation under a MAC ([`refresh`]).

mod attempts;
mod error;
mod password;
mod refresh;
mod store;

use std::{sync::Arc, time::Duration};

use feedmill_service::{Database, tokens::Signer};
use serde::Serialize;

pub use attempts::Attempts;
pub use error::SessionError;
pub use password::{Busy, HashError, Hasher, RightPassword, StoredHash};
pub use refresh::RefreshTokens;
pub use store::delete_expired;

use crate::{
    domain::{GivenPassword, Handle, Moment},
    idempotency::IdempotencyKey,
};
use store::{Credentials, IssuedSession};

/// How long a refresh token is valid. Each refresh starts it again.
const REFRESH_TTL: chrono::TimeDelta = chrono::TimeDelta::days(30);

/// The tokens of a client.
#[derive(Debug, Serialize)]
pub struct Tokens {
    pub access_token: String,
    pub token_type: &'static str,
    /// The validity of the access token from the time it was issued, in seconds.
    pub expires_in: u64,
    pub refresh_token: String,
}

/// Issued tokens. `replayed` if they repeat an earlier answer to the same idempotency key.
#[derive(Debug)]
pub struct Granted {
    pub tokens: Tokens,
    pub replayed: bool,
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

    /// Opens a session if the password is right. An unknown handle takes as long as a wrong password of an account whose hash
    /// has the current parameters.
    pub async fn open(
        &self,
        handle: &Handle,
        password: GivenPassword,
        key: Option<&IdempotencyKey>,
        now: Moment,
    ) -> Result<Granted, SessionError> {
        let attempt = self
            .attempts
            .begin(handle.as_str(), now.millis)
            .map_err(SessionError::TooManyAttempts)?;
        let found = store::credentials(&self.database, handle.as_str()).await?;
        let hash = found.as_ref().and_then(Credentials::stored_hash);
        let right = self.hasher.verify(password, hash).await?;
        let (Some(credentials), Some(right)) = (found, right) else {
            return Err(SessionError::WrongCredentials);
        };
        attempt.succeeded();
        if let Some(new_hash) = right.new_hash {
            self.replace_hash(&credentials, &new_hash).await;
        }
        let account = credentials.account;
        let issued = store::open(&self.database, account, key, now, now.at() + REFRESH_TTL).await?;
        self.grant(&issued)
    }

    /// Replaces a hash that does not have the current parameters. The next sign-in tries again if it fails.
    async fn replace_hash(&self, credentials: &Credentials, new_hash: &str) {
        if let Err(error) = store::replace_hash(&self.database, credentials, new_hash).await {
            let account = credentials.account;
            tracing::warn!(%account, %error, "session: the new hash of a password cannot be stored");
        }
    }

    /// Issues the next tokens of a session in exchange for its current refresh token. Of several requests with one token the
    /// first succeeds; the second ends the session, unless both carry the same idempotency key.
    pub async fn refresh(
        &self,
        token: &str,
        key: Option<&IdempotencyKey>,
        now: Moment,
    ) -> Result<Granted, SessionError> {
        let (session, generation) = self.refresh.read(token).ok_or(SessionError::InvalidToken)?;
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

    /// Both tokens are computed from what is stored, so a replay returns identical ones.
    fn grant(&self, issued: &IssuedSession) -> Result<Granted, SessionError> {
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
