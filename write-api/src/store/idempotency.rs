//! First answers, by account and key. Stored in the transaction of the command that gave them.

use std::collections::HashMap;

use feedmill_service::sql;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

/// The first answer to a key, and the request that it was given to.
#[derive(Debug, Clone)]
pub struct Stored {
    /// HMAC-SHA-256 of method, path and body.
    pub fingerprint: Vec<u8>,
    pub answer: Value,
}

/// What is stored for these `(account, key)`.
pub async fn load(
    connection: &mut PgConnection,
    wanted: &[(Uuid, String)],
) -> sqlx::Result<HashMap<(Uuid, String), Stored>> {
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    let (accounts, keys): (Vec<Uuid>, Vec<String>) = wanted.iter().cloned().unzip();
    let query = sqlx::query!(
        "/* idempotency.load */ SELECT i.account_id, i.key, i.fingerprint, i.answer
         FROM unnest($1::uuid[], $2::text[]) AS n(account_id, key)
         JOIN write.idempotency i ON i.account_id = n.account_id AND i.key = n.key",
        &accounts,
        &keys
    );
    let rows = sql::named("idempotency.load", query.fetch_all(connection)).await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            (
                (row.account_id, row.key),
                Stored {
                    fingerprint: row.fingerprint,
                    answer: row.answer,
                },
            )
        })
        .collect())
}

/// Keeps new answers. A key that somebody else has just used is a unique violation of `idempotency_pkey`.
pub async fn save(
    connection: &mut PgConnection,
    answers: Vec<((Uuid, String), Stored)>,
) -> sqlx::Result<()> {
    if answers.is_empty() {
        return Ok(());
    }
    let mut rows: (Vec<Uuid>, Vec<String>, Vec<Vec<u8>>, Vec<Value>) = Default::default();
    for ((account, key), stored) in answers {
        rows.0.push(account);
        rows.1.push(key);
        rows.2.push(stored.fingerprint);
        rows.3.push(stored.answer);
    }
    let query = sqlx::query!(
        "/* idempotency.save */ INSERT INTO write.idempotency (account_id, key, fingerprint, answer)
         SELECT * FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::jsonb[])",
        &rows.0,
        &rows.1,
        &rows.2,
        &rows.3
    );
    sql::named("idempotency.save", query.execute(connection)).await?;
    Ok(())
}
