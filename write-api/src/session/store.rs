//! The table of sessions: opening and refreshing. A refresh locks the row of its session, so that only one of two refreshes
//! with one token issues the next generation.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use feedmill_events::id;
use feedmill_service::{Database, sql::named, tokens::revocations::list::EndedSession};
use serde::{Deserialize, Serialize};
use sqlx::{Connection as _, PgConnection, postgres::PgQueryResult};
use uuid::Uuid;

use super::{
    answers::{claim, find},
    credentials::Credentials,
    ends::{self, Which},
    error::SessionError,
    lifetimes::Lifetimes,
};
use crate::{
    domain::{DeviceName, Moment},
    idempotency::IdempotencyKey,
};

/// How long a used refresh token gets the answer again that its first use got.
const REPEAT_GRACE: TimeDelta = TimeDelta::seconds(10);

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

/// Opens a session of an account whose password was verified.
pub async fn open(
    database: &Database,
    credentials: &Credentials,
    device_name: Option<&DeviceName>,
    key: Option<&IdempotencyKey>,
    now: Moment,
    lifetimes: &Lifetimes,
) -> Result<IssuedSession, SessionError> {
    let mut connection = database.connection().await?;
    let mut transaction = connection.begin().await?;
    let session = id::compose(now.millis, now.counter, now.random, None);
    let issued = IssuedSession {
        session,
        account: credentials.account,
        generation: 1,
        at: now.at().trunc_subsecs(0),
        replayed: false,
        is_superseded: false,
    };
    // The key first: a concurrent request with the same key waits here, and then finds the answer.
    if let Some(earlier) = claim(&mut transaction, issued.account, key, &issued).await? {
        if !is_live(&mut transaction, earlier.session, now.at()).await? {
            return Err(SessionError::Ended);
        }
        return Ok(IssuedSession {
            replayed: true,
            ..earlier
        });
    }
    // Only if the password is still the verified one: a change of the password meanwhile would not end this session.
    let insert = sqlx::query!(
        r#"/* session.session.open */
        INSERT INTO write.sessions (id, account_id, generation, issued_at, expires_at, device_name)
        SELECT $1::uuid, account_id, $3::int4, $4::timestamptz, $5::timestamptz, $6::text
        FROM write.passwords WHERE account_id = $2 AND hash = $7 FOR SHARE"#,
        session,
        credentials.account,
        issued.generation,
        now.at(),
        lifetimes.refresh_end(session, now.at()),
        device_name.map(DeviceName::as_str),
        credentials.hash
    );
    let inserted = insert.execute(&mut *transaction);
    if named("session.session.open", inserted)
        .await?
        .rows_affected()
        == 0
    {
        return Err(SessionError::WrongCredentials);
    }
    transaction.commit().await?;
    Ok(issued)
}

/// What a refresh token got.
pub enum Refreshed {
    Issued(IssuedSession),
    /// It was stolen, or its successor was: its session was ended.
    Theft(Vec<EndedSession>),
}

/// Issues the next generation of a session in exchange for the current one, or the current one again for the one before.
pub async fn rotate(
    database: &Database,
    session: Uuid,
    generation: i32,
    key: Option<&IdempotencyKey>,
    now: DateTime<Utc>,
    lifetimes: &Lifetimes,
) -> Result<Refreshed, SessionError> {
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
    // The maximum lifetime may have been lowered since the session was opened.
    let ends_at = |expires_at| lifetimes.session_end(session).min(expires_at);
    let Some(found) = found.filter(|found| !found.ended && ends_at(found.expires_at) > now) else {
        return Err(SessionError::InvalidToken);
    };
    // Before the generation is checked: a repeated request legitimately carries the old token.
    let account = found.account_id;
    if let Some(earlier) = find::<IssuedSession>(&mut transaction, account, key).await? {
        return Ok(Refreshed::Issued(IssuedSession {
            replayed: true,
            is_superseded: earlier.generation != found.generation,
            ..earlier
        }));
    }
    let issued_at = match judge(generation, found.generation, found.issued_at, now) {
        Verdict::Rotate => {
            let rotate = sqlx::query!(
                r#"/* session.session.rotate */
                UPDATE write.sessions SET generation = $2, issued_at = $3, expires_at = $4 WHERE id = $1"#,
                session,
                generation.wrapping_add(1),
                now,
                lifetimes.refresh_end(session, now)
            );
            let rotated = rotate.execute(&mut *transaction);
            expect_one(&named("session.session.rotate", rotated).await?)?;
            now
        }
        Verdict::Repeat { issued_at } => issued_at,
        Verdict::Theft => {
            let until = lifetimes.refused_until(now);
            let ended = ends::end(&mut transaction, account, Which::One(session), until).await?;
            transaction.commit().await?;
            return Ok(Refreshed::Theft(ended));
        }
    };
    let issued = IssuedSession {
        session,
        account,
        generation: generation.wrapping_add(1),
        at: issued_at.trunc_subsecs(0),
        replayed: false,
        is_superseded: false,
    };
    // The row is locked, so that no other request of this session has stored an answer meanwhile.
    if let Some(earlier) = claim(&mut transaction, account, key, &issued).await? {
        return Ok(Refreshed::Issued(IssuedSession {
            replayed: true,
            ..earlier
        }));
    }
    transaction.commit().await?;
    Ok(Refreshed::Issued(issued))
}

/// Whether a session can be continued.
async fn is_live(
    connection: &mut PgConnection,
    session: Uuid,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let select = sqlx::query_scalar!(
        r#"/* session.session.check */
        SELECT EXISTS (SELECT FROM write.sessions WHERE id = $1 AND NOT ended AND expires_at > $2) AS "live!""#,
        session,
        now
    );
    named("session.session.check", select.fetch_one(connection)).await
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
pub fn expect_one(changed: &PgQueryResult) -> sqlx::Result<()> {
    match changed.rows_affected() {
        1 => Ok(()),
        _ => Err(sqlx::Error::RowNotFound),
    }
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
