//! Local accounts: passwords, and sessions with rotating refresh tokens.
//!
//! A session is a family of refresh tokens, of which one generation is valid. A refresh issues the next generation. Two tabs of
//! a client may refresh at once: the token that was used last gets the same answer for ten seconds. If a used token comes
//! again otherwise, it or its successor was stolen, and the session ends. No secret is stored except password hashes: a
//! refresh token is the session and the generation under a MAC ([`refresh`]).
//!
//! - [`store`]: opening and refreshing; [`manage`]: listing and ending, and the password.
//! - [`ended`]: access tokens name their session, and every verifier is told when it ends; [`operator`] does without.
//! - [`lifetimes`]: how long everything is valid.
//! - [`attempts`]: how often a password may be tried, and by whom; [`device`]: who is known.
//! - [`sign_up`]: the password of a new account; [`password`]: hashes, and whose turn it is.

mod answers;
mod attempts;
mod credentials;
mod device;
mod ended;
mod ends;
mod error;
mod lifetimes;
mod mac_token;
mod manage;
pub mod operator;
mod password;
mod refresh;
mod sign_up;
mod store;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use feedmill_service::{Database, tokens::Signer};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

pub use ended::{Document, EndedSessions};
pub use ends::{LiveSession, Which, delete_expired};
pub use error::SessionError;
pub use lifetimes::Lifetimes;
pub use manage::PasswordChange;
pub use password::{Busy, HashError, Hasher, Queue, RightPassword, StoredHash};
pub use sign_up::SignUp;

use crate::{
    client::Client,
    domain::{DeviceName, GivenPassword, Handle, Moment},
    idempotency::IdempotencyKey,
};
use attempts::{Attempts, Guesser};
use credentials::Credentials;
use device::{Device, DeviceTokens};
use refresh::RefreshTokens;
use store::{IssuedSession, Refreshed};

/// The tokens of a client.
#[derive(Debug, Serialize, ToSchema)]
pub struct Tokens {
    /// An EdDSA JWT.
    pub access_token: String,
    /// Always `Bearer`.
    #[schema(examples("Bearer"))]
    pub token_type: &'static str,
    /// How long the access token is still valid, in seconds.
    #[schema(examples(900))]
    pub expires_in: u64,
    pub refresh_token: String,
    /// Proof of this device's sign-in, for the next one. Absent after a refresh.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub device_token: Option<String>,
}

/// Issued tokens. `replayed` if they repeat an earlier answer to the same idempotency key.
#[derive(Debug)]
pub struct Granted {
    pub tokens: Tokens,
    pub replayed: bool,
}

/// The sessions of local accounts.
pub struct Sessions {
    database: Database,
    signer: Signer,
    hasher: Arc<Hasher>,
    refresh: RefreshTokens,
    devices: DeviceTokens,
    attempts: Attempts,
    lifetimes: Lifetimes,
    ended: EndedSessions,
}

impl Sessions {
    pub fn new(
        database: Database,
        signer: Signer,
        hasher: Arc<Hasher>,
        lifetimes: Lifetimes,
        ended: EndedSessions,
    ) -> Self {
        let refresh = RefreshTokens::new(signer.derived_secret("refresh tokens"));
        let devices = DeviceTokens::new(signer.derived_secret("device tokens"));
        Self {
            database,
            signer,
            hasher,
            refresh,
            devices,
            attempts: Attempts::default(),
            lifetimes,
            ended,
        }
    }

    /// The sessions that have ended lately.
    pub fn ended(&self) -> &EndedSessions {
        &self.ended
    }

    /// Opens a session if the password is right. `client` is from [`Sessions::client_of`]. An unknown handle takes as long as a
    /// wrong password of an account whose hash has the current parameters.
    pub async fn open(
        &self,
        sign_in: SignIn,
        client: Client,
        key: Option<&IdempotencyKey>,
        now: Moment,
    ) -> Result<Granted, SessionError> {
        let handle = sign_in.handle.as_str();
        let guesser = match client {
            Client::Known(session) => Guesser::Device(session),
            Client::Address(address) => Guesser::Stranger(sign_in.handle.clone(), address),
        };
        let attempt = self.attempts.begin(guesser, now.millis)?;
        let Some(found) = self.verified(handle, sign_in.password, client).await? else {
            attempt.was_wrong(now.millis);
            return Err(SessionError::WrongCredentials);
        };
        let device_name = sign_in.device_name.as_ref();
        let opened = store::open(
            &self.database,
            &found,
            device_name,
            key,
            now,
            &self.lifetimes,
        );
        let issued = opened.await?;
        let mut granted = self.grant(&issued, now.at())?;
        granted.tokens.device_token = Some(self.devices.write(Device {
            account: issued.account,
            session: issued.session,
        }));
        Ok(granted)
    }

    /// Whom a sign-in counts for: the device, if somebody has signed in from it to the account of the handle before, or else
    /// `stranger`. Without a valid device token, no statement.
    pub async fn client_of(
        &self,
        sign_in: &SignIn,
        stranger: Client,
    ) -> Result<Client, SessionError> {
        let token = sign_in.device_token.as_deref();
        let Some(device) = token.and_then(|token| self.devices.read(token)) else {
            return Ok(stranger);
        };
        let found = credentials::by_handle(&self.database, sign_in.handle.as_str()).await?;
        let is_known = found.is_some_and(|found| found.account == device.account);
        Ok(if is_known {
            Client::Known(device.session)
        } else {
            stranger
        })
    }

    /// The credentials of the handle, if the password is right. A hash that does not have the current parameters is replaced.
    async fn verified(
        &self,
        handle: &str,
        password: GivenPassword,
        client: Client,
    ) -> Result<Option<Credentials>, SessionError> {
        let Some((found, right)) = self.check(handle, password.clone(), client).await? else {
            return Ok(None);
        };
        let Some(new_hash) = right.new_hash else {
            return Ok(Some(found));
        };
        match credentials::rehash(&self.database, &found, &new_hash).await {
            Ok(true) => Ok(Some(Credentials {
                hash: new_hash,
                ..found
            })),
            // A concurrent sign-in has replaced it, or the password was changed.
            Ok(false) => {
                let again = self.check(handle, password, client).await?;
                Ok(again.map(|(found, _)| found))
            }
            // The next sign-in tries again.
            Err(error) => {
                let account = found.account;
                tracing::warn!(%account, %error, "session: the new hash of a password cannot be stored");
                Ok(Some(found))
            }
        }
    }

    async fn check(
        &self,
        handle: &str,
        password: GivenPassword,
        client: Client,
    ) -> Result<Option<(Credentials, RightPassword)>, SessionError> {
        let found = credentials::by_handle(&self.database, handle).await?;
        let hash = found.as_ref().and_then(Credentials::stored_hash);
        let right = self.hasher.verify(password, hash, client).await?;
        Ok(found.zip(right))
    }

    /// The session of a refresh token, whether or not it can still be refreshed.
    pub fn session_of(&self, token: &str) -> Result<Uuid, SessionError> {
        let (session, _) = self.refresh.read(token).ok_or(SessionError::InvalidToken)?;
        Ok(session)
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
        let (at, lifetimes) = (now.at(), &self.lifetimes);
        let rotated =
            store::rotate(&self.database, session, generation, key, at, lifetimes).await?;
        match rotated {
            Refreshed::Issued(issued) => self.grant(&issued, at),
            Refreshed::Theft(ended) => {
                tracing::warn!(%session, "session: a used refresh token came again, ending its session");
                self.ended.announce("theft", &ended).await;
                Err(SessionError::InvalidToken)
            }
        }
    }

    /// Both tokens are computed from what is stored, so a repeated answer has identical ones while its access token is
    /// valid, and a fresh access token after that. An answer whose refresh token was used too is not repeated any more.
    fn grant(&self, issued: &IssuedSession, now: DateTime<Utc>) -> Result<Granted, SessionError> {
        let validity = (self.lifetimes).access_token(issued.session, issued.at, now);
        if issued.is_superseded && validity.from != issued.at {
            return Err(SessionError::InvalidToken);
        }
        let access_token = self.signer.sign_for_session(
            issued.account,
            issued.session,
            Duration::from_secs(validity.seconds),
            validity.from,
        );
        let tokens = Tokens {
            access_token: access_token.map_err(|error| SessionError::Signing(error.into()))?,
            token_type: "Bearer",
            expires_in: validity.seconds_left,
            refresh_token: self.refresh.write(issued.session, issued.generation),
            device_token: None,
        };
        Ok(Granted {
            tokens,
            replayed: issued.replayed,
        })
    }
}

/// What a client signs in with.
pub struct SignIn {
    pub handle: Handle,
    pub password: GivenPassword,
    /// What the client calls the device, for the list of sessions.
    pub device_name: Option<DeviceName>,
    /// Of an earlier sign-in. One that is not valid, or of another account, is ignored.
    pub device_token: Option<String>,
}
