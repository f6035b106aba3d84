//! The answers to idempotency keys of sessions, in the table of those to commands.

use feedmill_service::sql::named;
use serde::{Serialize, de::DeserializeOwned};
use sqlx::PgConnection;
use uuid::Uuid;

use super::error::SessionError;
use crate::idempotency::IdempotencyKey;

/// Stores the answer under the account's key, or returns the answer that the key has. A concurrent request with the same key
/// waits for the end of this transaction, and then finds the answer. None without a key.
pub async fn claim<A: Serialize + DeserializeOwned>(
    connection: &mut PgConnection,
    account: Uuid,
    key: Option<&IdempotencyKey>,
    answer: &A,
) -> Result<Option<A>, SessionError> {
    let Some(key) = key else { return Ok(None) };
    let answer = serde_json::to_value(answer).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let insert = sqlx::query!(
        r#"/* session.answer.store */
        INSERT INTO write.idempotency (account_id, key, fingerprint, answer) VALUES ($1, $2, $3, $4)
        ON CONFLICT ON CONSTRAINT idempotency_pkey DO NOTHING"#,
        account,
        key.key,
        &key.fingerprint[..],
        answer
    );
    let inserted = named("session.answer.store", insert.execute(&mut *connection)).await?;
    if inserted.rows_affected() == 1 {
        return Ok(None);
    }
    find(connection, account, Some(key)).await
}

/// The answer that is stored under the account's key.
pub async fn find<A: DeserializeOwned>(
    connection: &mut PgConnection,
    account: Uuid,
    key: Option<&IdempotencyKey>,
) -> Result<Option<A>, SessionError> {
    let Some(key) = key else { return Ok(None) };
    let select = sqlx::query!(
        r#"/* session.answer.read */
        SELECT fingerprint, answer FROM write.idempotency WHERE account_id = $1 AND key = $2"#,
        account,
        key.key
    );
    let Some(row) = named("session.answer.read", select.fetch_optional(connection)).await? else {
        return Ok(None);
    };
    if row.fingerprint != key.fingerprint {
        return Err(SessionError::KeyReused);
    }
    let answer =
        serde_json::from_value(row.answer).map_err(|error| sqlx::Error::Decode(error.into()))?;
    Ok(Some(answer))
}
