//! What the owner of an account does with its sessions: listing and ending them, and changing the password.

use feedmill_events::id;
use serde::{Deserialize, Serialize};
use sqlx::Connection as _;
use uuid::Uuid;

use super::{
    Sessions,
    answers::{claim, find},
    attempts::Guesser,
    credentials,
    ends::{self, LiveSession, Which},
    error::SessionError,
    password::Queue,
};
use crate::{
    client::Client,
    domain::{GivenPassword, Moment, Password},
    idempotency::IdempotencyKey,
};

/// The most sessions that are listed.
const MAX_LISTED: i64 = 100;

/// The answer that is stored under an idempotency key: it has no content.
#[derive(Serialize, Deserialize)]
struct Done {}

/// Whether an answer is a repeated one.
pub type Replayed = bool;

impl Sessions {
    /// The account's sessions, the ones that were used last first, 100 at most.
    pub async fn list(&self, account: Uuid, now: Moment) -> Result<Vec<LiveSession>, SessionError> {
        let max_age = i64::try_from(self.lifetimes.session.as_millis()).unwrap_or(i64::MAX);
        let oldest = id::first_of(now.millis.saturating_sub(max_age));
        let listed = ends::list(&self.database, account, oldest, now.at(), MAX_LISTED);
        Ok(listed.await?)
    }

    /// Ends one session of the account, or all but the current one. Errors: the account has no such session, and never had.
    pub async fn end(
        &self,
        account: Uuid,
        which: Which,
        key: Option<&IdempotencyKey>,
        now: Moment,
    ) -> Result<Replayed, SessionError> {
        let mut connection = self.database.connection().await?;
        let mut transaction = connection.begin().await?;
        if !ends::account_exists(&mut transaction, account).await? {
            return Err(SessionError::UnknownAccount);
        }
        if claim(&mut transaction, account, key, &Done {})
            .await?
            .is_some()
        {
            return Ok(true);
        }
        let until = self.lifetimes.refused_until(now.at());
        let ended = ends::end(&mut transaction, account, which, until).await?;
        if let Which::One(session) = which
            && ended.is_empty()
            && !ends::exists(&mut transaction, account, session).await?
        {
            return Err(SessionError::NotFound);
        }
        transaction.commit().await?;
        self.ended.announce("signed_out", &ended).await;
        Ok(false)
    }

    /// Changes the account's password, if `current` is right, and ends all sessions but the one that it is changed in.
    pub async fn change_password(
        &self,
        account: Uuid,
        session: Option<Uuid>,
        passwords: PasswordChange,
        key: Option<&IdempotencyKey>,
        now: Moment,
    ) -> Result<Replayed, SessionError> {
        let old = {
            let mut connection = self.database.connection().await?;
            // After the change, the request that made it has a wrong password: its key is looked up first.
            let repeated = find::<Done>(&mut connection, account, key).await?;
            if repeated.is_some() {
                return Ok(true);
            }
            credentials::of_account(&mut connection, account).await?
        };
        let (handle, old) = old.ok_or(SessionError::UnknownAccount)?;
        if passwords.new.is_handle(&handle) {
            return Err(SessionError::PasswordIsHandle);
        }
        let holder = session.unwrap_or(account);
        let (guesser, client) = (Guesser::Holder(holder), Client::Known(holder));
        let attempt = self.attempts.begin(guesser, now.millis)?;
        let hash = old
            .as_ref()
            .and_then(|old| credentials::parse(account, old));
        let right = self.hasher.verify(passwords.current, hash, client).await?;
        let (Some(old), Some(_)) = (old, right) else {
            attempt.was_wrong(now.millis);
            return Err(SessionError::WrongPassword);
        };
        drop(attempt);
        let new = self.hasher.hash(passwords.new, Queue::SignIn, client);
        let new = new.await?;

        let mut connection = self.database.connection().await?;
        let mut transaction = connection.begin().await?;
        if claim(&mut transaction, account, key, &Done {})
            .await?
            .is_some()
        {
            return Ok(true);
        }
        if !credentials::replace(&mut transaction, account, &old, &new).await? {
            return Err(SessionError::WrongPassword);
        }
        let until = self.lifetimes.refused_until(now.at());
        let others = Which::AllExcept(session);
        let ended = ends::end(&mut transaction, account, others, until).await?;
        transaction.commit().await?;
        self.ended.announce("password", &ended).await;
        Ok(false)
    }
}

pub struct PasswordChange {
    pub current: GivenPassword,
    pub new: Password,
}
