//! Local accounts: passwords, and sessions with rotating refresh tokens.
//!
//! A session is a family of refresh tokens, of which one generation is valid. A refresh issues the next generation. Two tabs of
//! a client may refresh at once: the token that was used last gets the same answer for ten seconds. If a used token comes
//! again otherwise, it or its successor was stolen, and the session ends. No secret is stored except password
//! hashes: a refresh token is the session and the generation under a MAC ([`refresh`]).

mod attempts;
mod error;
mod password;
mod refresh;
mod store;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
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
    /// How long the access token is still valid, in seconds.
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
        self.grant(&issued, now.at())
    }

    /// Replaces a hash that does not have the current parameters. The next sign-in tries again if it fails.
    async fn replace_hash(&self, credentials: &Credentials, new_hash: &str) {
        if let Err(error) = store::replace_hash(&self.database, credentials, new_hash).await {
            let account = credentials.account;
            tracing::warn!(%account, %error, "session: the new hash of a password cannot be stored");
        }
    }

    /// Issues the next tokens of a session in exchange for its current refresh token. A used token that comes again gets the
    /// same answer within ten seconds, or with the same idempotency key; otherwise it ends the session.
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
        self.grant(&issued, at)
    }

    /// Both tokens are computed from what is stored, so a repeated answer has identical ones while its access token is
    /// valid, and a fresh access token after that. An answer whose refresh token was used too is not repeated any more.
    fn grant(
        &self,
        issued: &IssuedSession,
        now: DateTime<Utc>,
    ) -> Result<Granted, SessionError> {
        let validity = Validity::of(issued.at, self.access_ttl, now);
        if issued.is_superseded && validity.from != issued.at {
            return Err(SessionError::InvalidToken);
        }
        let access_token = (self.signer).sign(issued.account, self.access_ttl, validity.from);
        let tokens = Tokens {
            access_token: access_token.map_err(|error| SessionError::Signing(error.into()))?,
            token_type: "Bearer",
            expires_in: validity.seconds_left,
            refresh_token: self.refresh.write(issued.session, issued.generation),
        };
        Ok(Granted {
            tokens,
            replayed: issued.replayed,
        })
    }
}

/// The access token of an answer.
#[derive(Debug, PartialEq, Eq)]
struct Validity {
    /// When it was issued.
    from: DateTime<Utc>,
    seconds_left: u64,
}

impl Validity {
    /// Of the token that was issued at `issued_at` or, if that has expired, of one that is issued now.
    fn of(issued_at: DateTime<Utc>, ttl: Duration, now: DateTime<Utc>) -> Self {
        // Negative if the clock of another instance is ahead.
        let age = u64::try_from((now - issued_at).num_seconds()).unwrap_or_default();
        match ttl.as_secs().saturating_sub(age) {
            0 => Self {
                from: now,
                seconds_left: ttl.as_secs(),
            },
            seconds_left => Self {
                from: issued_at,
                seconds_left,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_answer_says_how_long_its_token_is_still_valid() {
        let ttl = Duration::from_mins(15);
        let at = |seconds: i64| DateTime::UNIX_EPOCH + chrono::TimeDelta::seconds(seconds);
        let after = |seconds| Validity::of(at(0), ttl, at(seconds));
        for (age, seconds_left) in [(-1, 900), (0, 900), (1, 899), (899, 1)] {
            let from = at(0);
            assert_eq!(after(age), Validity { from, seconds_left });
        }
        for age in [900, 901, 100_000] {
            let from = at(age);
            let seconds_left = 900;
            assert_eq!(after(age), Validity { from, seconds_left });
        }
    }
}
