//! The password hashes of accounts.

use feedmill_service::{Database, sql::named};
use sqlx::PgConnection;
use uuid::Uuid;

use super::password::StoredHash;

/// An account that can sign in.
pub struct Credentials {
    pub account: Uuid,
    /// The hash of the password.
    pub hash: String,
}

impl Credentials {
    /// None if this version cannot read the hash: then no password is right.
    pub fn stored_hash(&self) -> Option<StoredHash> {
        parse(self.account, &self.hash)
    }
}

/// None if this version cannot read the hash.
pub fn parse(account: Uuid, hash: &str) -> Option<StoredHash> {
    StoredHash::parse(hash)
        .inspect_err(|reason| {
            tracing::error!(%account, %reason, "session: cannot read the password hash of an account, no password is accepted");
        })
        .ok()
}

/// None if no account has the handle, or if the account has no password.
pub async fn by_handle(database: &Database, handle: &str) -> sqlx::Result<Option<Credentials>> {
    let query = sqlx::query_as!(
        Credentials,
        r#"/* session.credentials.read */
        SELECT accounts.id AS account, passwords.hash
        FROM write.accounts
        JOIN write.passwords ON passwords.account_id = accounts.id
        WHERE accounts.handle = $1"#,
        handle
    );
    database.optional("session.credentials.read", query).await
}

/// The handle of an account, and the hash of its password, if it has one. None: there is no such account.
pub async fn of_account(
    connection: &mut PgConnection,
    account: Uuid,
) -> sqlx::Result<Option<(String, Option<String>)>> {
    let query = sqlx::query!(
        r#"/* session.password.read */
        SELECT accounts.handle, passwords.hash AS "hash?"
        FROM write.accounts
        LEFT JOIN write.passwords ON passwords.account_id = accounts.id
        WHERE accounts.id = $1"#,
        account
    );
    let row = named("session.password.read", query.fetch_optional(connection)).await?;
    Ok(row.map(|row| (row.handle, row.hash)))
}

/// Stores another hash of the same password. False if the password was changed meanwhile.
pub async fn rehash(
    database: &Database,
    credentials: &Credentials,
    new: &str,
) -> sqlx::Result<bool> {
    let mut connection = database.connection().await?;
    replace(&mut connection, credentials.account, &credentials.hash, new).await
}

/// Replaces the hash of an account's password. False if it is not `old` any more.
pub async fn replace(
    connection: &mut PgConnection,
    account: Uuid,
    old: &str,
    new: &str,
) -> sqlx::Result<bool> {
    let update = sqlx::query!(
        r#"/* session.password.replace */
        UPDATE write.passwords SET hash = $3 WHERE account_id = $1 AND hash = $2"#,
        account,
        old,
        new
    );
    let updated = named("session.password.replace", update.execute(connection)).await?;
    Ok(updated.rows_affected() == 1)
}

/// Gives an account a password, whether or not it has one.
pub async fn set(connection: &mut PgConnection, account: Uuid, hash: &str) -> sqlx::Result<()> {
    let upsert = sqlx::query!(
        r#"/* session.password.set */
        INSERT INTO write.passwords (account_id, hash) VALUES ($1, $2)
        ON CONFLICT (account_id) DO UPDATE SET hash = excluded.hash"#,
        account,
        hash
    );
    let changed = named("session.password.set", upsert.execute(connection)).await?;
    super::store::expect_one(&changed)
}
