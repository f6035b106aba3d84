//! What an operator does with the sessions of an account, from the command line. The instances of write-api find what has
//! ended in its table.

use chrono::{DateTime, Utc};
use feedmill_service::sql::named;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::{
    credentials,
    ends::{self, Which},
};

/// The account with this handle or id.
pub async fn find_account(
    connection: &mut PgConnection,
    handle: Option<&str>,
    id: Option<Uuid>,
) -> sqlx::Result<Option<Uuid>> {
    let query = sqlx::query_scalar!(
        r#"/* account.id.find */ SELECT id FROM write.accounts WHERE handle = $1 OR id = $2"#,
        handle,
        id
    );
    named("account.id.find", query.fetch_optional(connection)).await
}

/// Ends all sessions of an account, and returns their number. Their access tokens are refused until `until`.
pub async fn end_sessions(
    connection: &mut PgConnection,
    account: Uuid,
    until: DateTime<Utc>,
) -> sqlx::Result<usize> {
    let ended = ends::end(connection, account, Which::AllExcept(None), until).await?;
    Ok(ended.len())
}

/// Gives an account a password with this hash, and ends all its sessions. Returns their number.
pub async fn reset_password(
    connection: &mut PgConnection,
    account: Uuid,
    hash: &str,
    until: DateTime<Utc>,
) -> sqlx::Result<usize> {
    let mut transaction = connection.begin().await?;
    credentials::set(&mut transaction, account, hash).await?;
    let ended = end_sessions(&mut transaction, account, until).await?;
    transaction.commit().await?;
    Ok(ended)
}
