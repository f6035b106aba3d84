//! The table of sessions. A refresh locks the row of its session, so that only one of two refreshes with one token issues the
//! next generation.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use feedmill_events::id;
use feedmill_service::{Database, sql::named};
use serde::{Deserialize, Serialize};
use sqlx::{Connection as _, PgConnection, postgres::PgQueryResult};
use uuid::Uuid;

use super::{error::SessionError, password::StoredHash};
use crate::{domain::Moment, idempotency::IdempotencyKey};

/// How long a used refresh token gets the answer again that its first use got.
const REPEAT_GRACE: TimeDelta = TimeDelta::seconds(10);

pub struct Credentials {
    pub account: Uuid,
    /// The hash of the password.
    pub hash: String,
}

impl Credentials {
    /// None if this version cannot read the hash: then no password is right.
    pub fn stored_hash(&self) -> Option<StoredHash> {
        StoredHash::parse(&self.hash)
            .inspect_err(|reason| {
                let account = self.account;
                tracing::error!(%account, %reason, "session: cannot read the password hash of an account, no password is accepted");
            })
            .ok()
    }
}

/// What the tokens of a session are computed from. It is stored as the answer to an idempotency key: none of it is secret.
#[derive(Debug, Serialize, Deserialize)]
pub struct IssuedSession {
    pub session: Uuid,
    pub account: Uuid,
    pub generation: i32,
    /// In whole seconds, like the times in tokens.
    pub at: DateTime<Utc>,
    #[serde(skip)]
    pub replayed: bool,
    /// A repeated answer whose refresh token was used, too.
    #[serde(skip)]
    pub is_superseded: bool,
}

/// None if no account has the handle, or if the account has no password.
pub async fn credentials(database: &Database, handle: &str) -> sqlx::Result<Option<Credentials>> {
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

/// Stores a new hash of the same password, unless the password was changed meanwhile.
pub async fn replace_hash(
    database: &Database,
    credentials: &Credentials,
    new_hash: &str,
) -> sqlx::Result<()> {
    let update = sqlx::query!(
        r#"/* session.hash.replace */
        UPDATE write.passwords SET hash = $3 WHERE account_id = $1 AND hash = $2"#,
        credentials.account,
        credentials.hash,
        new_hash
    );
    database.execute("session.hash.replace", update).await?;
    Ok(())
}

/// Opens a session.
pub async fn open(
    database: &Database,
    account: Uuid,
    key: Option<&IdempotencyKey>,
    now: Moment,
    expires_at: DateTime<Utc>,
) -> Result<IssuedSession, SessionError> {
    let mut connection = database.connection().await?;
    let mut transaction = connection.begin().await?;
    let issued = IssuedSession {
        session: id::compose(now.millis, now.counter, now.random, None),
        account,
        generation: 1,
        at: now.at().trunc_subsecs(0),
        replayed: false,
        is_superseded: false,
    };
    // The key first: a concurrent request with the same key waits here, and then finds the answer.
    if let Some(earlier) = claim(&mut transaction, key, &issued).await? {
        return Ok(earlier);
    }
    let insert = sqlx::query!(
        r#"/* session.session.open */
        INSERT INTO write.sessions (id, account_id, generation, issued_at, expires_at)
        VALUES ($1, $2, $3, $4, $5)"#,
        issued.session,
        account,
        issued.generation,
        now.at(),
        expires_at
    );
    let inserted = insert.execute(&mut *transaction);
    expect_one(named("session.session.open", inserted).await?)?;
    transaction.commit().await?;
    Ok(issued)
}

/// Issues the next generation of a session in exchange for the current one, or the current one again for the one before.
pub async fn rotate(
    database: &Database,
    session: Uuid,
    generation: i32,
    key: Option<&IdempotencyKey>,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<IssuedSession, SessionError> {
    let mut connection = database.connection().await?;
    let mut transaction = connection.begin().await?;
    let lock = sqlx::query!(
        r#"/* session.session.lock */
        SELECT account_id, generation, issued_at, expires_at, ended
        FROM write.sessions WHERE id = $1 FOR UPDATE"#,
        session
    );
    let found = named(
        "session.session.lock",
        lock.fetch_optional(&mut *transaction),
    )
    .await?;
    let Some(found) = found.filter(|found| found.expires_at > now) else {
        return Err(SessionError::InvalidToken);
    };
    // Before the generation is checked: a repeated request legitimately carries the old token.
    if let Some(earlier) = find(&mut transaction, key, found.account_id).await? {
        return Ok(IssuedSession {
            is_superseded: earlier.generation != found.generation,
            ..earlier
        });
    }
    if found.ended {
        return Err(SessionError::InvalidToken);
    }
    let issued_at = match judge(generation, found.generation, found.issued_at, now) {
        Verdict::Rotate => {
            let rotate = sqlx::query!(
                r#"/* session.session.rotate */
                UPDATE write.sessions SET generation = $2, issued_at = $3, expires_at = $4 WHERE id = $1"#,
                session,
                generation.wrapping_add(1),
                now,
                expires_at
            );
            let rotated = rotate.execute(&mut *transaction);
            expect_one(named("session.session.rotate", rotated).await?)?;
            now
        }
        Verdict::Repeat { issued_at } => issued_at,
        Verdict::Theft => {
            let end = sqlx::query!(
                r#"/* session.session.end */ UPDATE write.sessions SET ended = true WHERE id = $1"#,
                session
            );
            let ended = end.execute(&mut *transaction);
            expect_one(named("session.session.end", ended).await?)?;
            transaction.commit().await?;
            tracing::warn!(%session, "session: a used refresh token came again, ending its session");
            return Err(SessionError::InvalidToken);
        }
    };
    let issued = IssuedSession {
        session,
        account: found.account_id,
        generation: generation.wrapping_add(1),
        at: issued_at.trunc_subsecs(0),
        replayed: false,
        is_superseded: false,
    };
    if let Some(earlier) = claim(&mut transaction, key, &issued).await? {
        return Ok(earlier);
    }
    transaction.commit().await?;
    Ok(issued)
}

/// What a refresh token gets.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// It is the current one: the next one.
    Rotate,
    /// It was used moments ago, by another tab of the same client for example: the answer of then.
    Repeat { issued_at: DateTime<Utc> },
    /// It was used before. Somebody else has it, or has its successor.
    Theft,
}

/// Judges a refresh token of the generation `given`. The current one was issued at `issued_at`. Only the one before it
/// may come again: if the current token was used, too, its holder has no need of an older one.
fn judge(
    given: i32,
    current: i32,
    issued_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Verdict {
    if given == current {
        return Verdict::Rotate;
    }
    let is_previous = given.checked_add(1) == Some(current);
    match issued_at {
        Some(issued_at) if is_previous && now - issued_at <= REPEAT_GRACE => {
            Verdict::Repeat { issued_at }
        }
        _ => Verdict::Theft,
    }
}

/// Errors: not exactly one row was changed, though it was locked or is new.
fn expect_one(changed: PgQueryResult) -> sqlx::Result<()> {
    match changed.rows_affected() {
        1 => Ok(()),
        _ => Err(sqlx::Error::RowNotFound),
    }
}

/// Stores the answer under the key, or returns the answer that the key has. None without a key.
async fn claim(
    connection: &mut PgConnection,
    key: Option<&IdempotencyKey>,
    issued: &IssuedSession,
) -> Result<Option<IssuedSession>, SessionError> {
    let Some(key) = key else { return Ok(None) };
    let answer = serde_json::to_value(issued).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let insert = sqlx::query!(
        r#"/* session.answer.store */
        INSERT INTO write.idempotency (account_id, key, fingerprint, answer) VALUES ($1, $2, $3, $4)
        ON CONFLICT ON CONSTRAINT idempotency_pkey DO NOTHING"#,
        issued.account,
        key.key,
        &key.fingerprint[..],
        answer
    );
    let inserted = named("session.answer.store", insert.execute(&mut *connection)).await?;
    if inserted.rows_affected() == 1 {
        return Ok(None);
    }
    find(connection, Some(key), issued.account).await
}

/// The answer that is stored under the key.
async fn find(
    connection: &mut PgConnection,
    key: Option<&IdempotencyKey>,
    account: Uuid,
) -> Result<Option<IssuedSession>, SessionError> {
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
    let earlier: IssuedSession =
        serde_json::from_value(row.answer).map_err(|error| sqlx::Error::Decode(error.into()))?;
    Ok(Some(IssuedSession {
        replayed: true,
        ..earlier
    }))
}

/// Deletes at most `limit` expired sessions, and returns their number.
pub async fn delete_expired(
    database: &Database,
    now: DateTime<Utc>,
    limit: i64,
) -> sqlx::Result<u64> {
    let delete = sqlx::query!(
        r#"/* session.expired.delete */
        DELETE FROM write.sessions
        WHERE id IN (SELECT id FROM write.sessions WHERE expires_at < $1 LIMIT $2)"#,
        now,
        limit
    );
    database.execute("session.expired.delete", delete).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_used_refresh_token_may_come_again_and_only_for_ten_seconds() {
        let at = |millis| DateTime::UNIX_EPOCH + TimeDelta::milliseconds(millis);
        let judge = |given, issued_at, now| judge(given, 5, issued_at, at(now));
        let issued_at = at(1_000);
        let repeat = Verdict::Repeat { issued_at };
        assert_eq!(judge(5, Some(issued_at), 90_000), Verdict::Rotate);
        assert_eq!(judge(5, None, 1_000), Verdict::Rotate);
        assert_eq!(judge(4, Some(issued_at), 1_000), repeat);
        assert_eq!(judge(4, Some(issued_at), 11_000), repeat);
        // By the clock of another instance.
        assert_eq!(judge(4, Some(issued_at), 500), repeat);
        assert_eq!(judge(4, Some(issued_at), 11_001), Verdict::Theft);
        assert_eq!(judge(4, None, 1_000), Verdict::Theft);
        for other in [3, 1, 6, i32::MAX, i32::MIN] {
            assert_eq!(judge(other, Some(issued_at), 1_000), Verdict::Theft);
        }
    }
}
