//! Idempotency keys: the first answer to a command that carried one is stored in the command's transaction, and returned
//! when the same account repeats the request. Without an account, whoever sends the same request is the same client.

use std::collections::HashMap;

use feedmill_service::{Database, sql::named};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

/// The `Idempotency-Key` of a request.
#[derive(Debug, Clone)]
pub struct IdempotencyKey {
    pub key: String,
    /// HMAC-SHA-256 of method, path and body. Keyed, because a body may hold a password: who reads the database but does
    /// not have the key, which is not in it, cannot try passwords against it.
    pub fingerprint: [u8; 32],
}

impl IdempotencyKey {
    /// Whose key it is: the actor's. Without one (nil), it belongs to what was sent, so that strangers who choose the same
    /// key neither get each other's answers nor take the key from each other.
    pub fn scope(&self, actor: Uuid) -> Uuid {
        if !actor.is_nil() {
            return actor;
        }
        Uuid::new_v5(&Uuid::nil(), &self.fingerprint)
    }
}

/// Whether there is an answer to the key of a client that is not signed in.
pub async fn is_answered(database: &Database, key: Option<&IdempotencyKey>) -> sqlx::Result<bool> {
    let Some(key) = key else { return Ok(false) };
    let query = sqlx::query!(
        r#"/* idempotency.answer.check */
        SELECT EXISTS (SELECT FROM write.idempotency WHERE account_id = $1 AND key = $2) AS "is_answered!""#,
        key.scope(Uuid::nil()),
        key.key
    );
    let row = database.one("idempotency.answer.check", query).await?;
    Ok(row.is_answered)
}

/// The scope of a key ([`IdempotencyKey::scope`]), and the key.
pub type AnswerKey = (Uuid, String);

/// The first answer to a key.
#[derive(Debug, Clone)]
pub struct StoredAnswer {
    /// The fingerprint of the request that it answered.
    pub fingerprint: Vec<u8>,
    pub answer: Value,
}

/// The stored answers to these keys. Without keys, no statement.
pub async fn load(
    connection: &mut PgConnection,
    keys: &[AnswerKey],
) -> sqlx::Result<HashMap<AnswerKey, StoredAnswer>> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let (accounts, keys): (Vec<Uuid>, Vec<String>) = keys.iter().cloned().unzip();
    let query = sqlx::query!(
        "/* idempotency.load */ SELECT i.account_id, i.key, i.fingerprint, i.answer
         FROM unnest($1::uuid[], $2::text[]) AS n(account_id, key)
         JOIN write.idempotency i ON i.account_id = n.account_id AND i.key = n.key",
        &accounts,
        &keys
    );
    let rows = named("idempotency.load", query.fetch_all(connection)).await?;
    let answers = rows.into_iter().map(|row| {
        let answer = StoredAnswer {
            fingerprint: row.fingerprint,
            answer: row.answer,
        };
        ((row.account_id, row.key), answer)
    });
    Ok(answers.collect())
}

/// Stores new answers. If another process has just used a key, this is a unique violation of `idempotency_pkey`.
pub async fn save(
    connection: &mut PgConnection,
    answers: Vec<(AnswerKey, StoredAnswer)>,
) -> sqlx::Result<()> {
    if answers.is_empty() {
        return Ok(());
    }
    let (mut accounts, mut keys) = (Vec::new(), Vec::new());
    let (mut fingerprints, mut bodies) = (Vec::new(), Vec::new());
    for ((account, key), stored) in answers {
        accounts.push(account);
        keys.push(key);
        fingerprints.push(stored.fingerprint);
        bodies.push(stored.answer);
    }
    let query = sqlx::query!(
        "/* idempotency.save */ INSERT INTO write.idempotency (account_id, key, fingerprint, answer)
         SELECT * FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::jsonb[])",
        &accounts,
        &keys,
        &fingerprints,
        &bodies
    );
    named("idempotency.save", query.execute(connection)).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_an_account_a_key_belongs_to_what_was_sent() {
        let key = |fingerprint| IdempotencyKey {
            key: "a".to_owned(),
            fingerprint: [fingerprint; 32],
        };
        let account = Uuid::from_u128(7);
        assert_eq!(key(1).scope(account), account);
        assert_eq!(key(2).scope(account), account);
        let nobody = Uuid::nil();
        assert_eq!(key(1).scope(nobody), key(1).scope(nobody));
        assert_ne!(key(1).scope(nobody), key(2).scope(nobody));
        assert!(!key(1).scope(nobody).is_nil());
    }
}
