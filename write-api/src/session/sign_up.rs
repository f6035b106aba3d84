//! The password of a new account.

use super::{Sessions, error::SessionError, password::Queue};
use crate::{
    client::Client,
    domain::{Handle, Moment, Password, account},
    idempotency::{self, IdempotencyKey},
};

/// What a sign-up has to be checked for before its password is hashed.
pub struct SignUp<'a> {
    pub handle: &'a Handle,
    pub password: Password,
    pub key: Option<&'a IdempotencyKey>,
    pub client: Client,
}

impl Sessions {
    /// The hash of a new account's password. A handle that is taken is refused before the password is hashed, unless the request
    /// repeats the one that took it. It is a first look, to save the time of the hash: the command decides.
    pub async fn hash_for_sign_up(
        &self,
        sign_up: SignUp<'_>,
        now: Moment,
    ) -> Result<String, SessionError> {
        let database = &self.database;
        let is_taken = account::sql::is_taken(database, sign_up.handle, now.at()).await?;
        if is_taken && !idempotency::is_answered(database, sign_up.key).await? {
            return Err(SessionError::HandleTaken);
        }
        let hash = (self.hasher).hash(sign_up.password, Queue::SignUp, sign_up.client);
        Ok(hash.await?)
    }
}
