//! Listing and ending sessions. The sessions that have ended lately are in a table of their own, which every instance polls.

use chrono::{DateTime, Utc};
use feedmill_service::{
    Database,
    sql::named,
    tokens::revocations::list::{Ended, EndedSession},
};
use sqlx::PgConnection;
use uuid::Uuid;

/// A session that can be continued.
pub struct LiveSession {
    pub id: Uuid,
    /// When its tokens were last issued. None in a row of an older version.
    pub issued_at: Option<DateTime<Utc>>,
    pub device_name: Option<String>,
}

/// Which sessions of an account to end.
#[derive(Debug, Clone, Copy)]
pub enum Which {
    One(Uuid),
    AllExcept(Option<Uuid>),
}

/// At most `limit` sessions of an account, which have not ended and do not end before `now`. The ones that were used last come
/// first. `oldest` is the lowest id of one that has not reached its maximum lifetime.
pub async fn list(
    database: &Database,
    account: Uuid,
    oldest: Uuid,
    now: DateTime<Utc>,
    limit: i64,
) -> sqlx::Result<Vec<LiveSession>> {
    let select = sqlx::query_as!(
        LiveSession,
        r#"/* session.sessions.list */
        SELECT id, issued_at, device_name FROM write.sessions
        WHERE account_id = $1 AND NOT ended AND id >= $2 AND expires_at > $3
        ORDER BY issued_at DESC NULLS LAST, id DESC LIMIT $4"#,
        account,
        oldest,
        now,
        limit
    );
    database.all("session.sessions.list", select).await
}

/// Ends sessions of an account, and returns those that had not ended. Their access tokens are refused until `until`.
/// The rows are locked in the order of their ids, so that two transactions do not wait for each other.
pub async fn end(
    connection: &mut PgConnection,
    account: Uuid,
    which: Which,
    until: DateTime<Utc>,
) -> sqlx::Result<Vec<EndedSession>> {
    let (one, except) = match which {
        Which::One(session) => (Some(session), None),
        Which::AllExcept(session) => (None, session),
    };
    let end = sqlx::query_scalar!(
        r#"/* session.sessions.end */
        WITH chosen AS (
            SELECT id FROM write.sessions
            WHERE account_id = $1 AND NOT ended
                AND ($2::uuid IS NULL OR id = $2) AND id IS DISTINCT FROM $3
            ORDER BY id FOR UPDATE
        ), ended AS (
            UPDATE write.sessions SET ended = true FROM chosen WHERE sessions.id = chosen.id
            RETURNING sessions.id
        )
        INSERT INTO write.ended_sessions (session_id, refused_until) SELECT id, $4 FROM ended
        RETURNING session_id"#,
        account,
        one,
        except,
        until
    );
    let sessions = named("session.sessions.end", end.fetch_all(connection)).await?;
    let ended = sessions.into_iter().map(|id| ended_session(id, until));
    Ok(ended.collect())
}

/// Whether the account has or had this session.
pub async fn exists(
    connection: &mut PgConnection,
    account: Uuid,
    session: Uuid,
) -> sqlx::Result<bool> {
    let select = sqlx::query_scalar!(
        r#"/* session.session.find */
        SELECT EXISTS (SELECT FROM write.sessions WHERE id = $1 AND account_id = $2) AS "exists!""#,
        session,
        account
    );
    named("session.session.find", select.fetch_one(connection)).await
}

/// Whether there is an account with this id.
pub async fn account_exists(connection: &mut PgConnection, account: Uuid) -> sqlx::Result<bool> {
    let select = sqlx::query_scalar!(
        r#"/* session.account.find */
        SELECT EXISTS (SELECT FROM write.accounts WHERE id = $1) AS "exists!""#,
        account
    );
    named("session.account.find", select.fetch_one(connection)).await
}

/// The ended sessions whose access tokens may not have expired.
pub async fn ended(database: &Database, now: DateTime<Utc>) -> sqlx::Result<Ended> {
    let select = sqlx::query!(
        r#"/* session.ended.list */
        SELECT session_id, refused_until AS "at!" FROM write.ended_sessions WHERE refused_until > $1
        UNION ALL
        SELECT NULL, began_at FROM write.incarnations"#,
        now
    );
    let mut ended = Ended::default();
    for row in database.all("session.ended.list", select).await? {
        if let Some(session) = row.session_id {
            ended.sessions.push(ended_session(session, row.at));
        } else {
            let began = u64::try_from(row.at.timestamp_millis()).unwrap_or_default();
            ended.all_before = ended.all_before.max(began);
        }
    }
    Ok(ended)
}

fn ended_session(session: Uuid, until: DateTime<Utc>) -> EndedSession {
    EndedSession {
        session,
        until: u64::try_from(until.timestamp()).unwrap_or_default(),
    }
}

/// Deletes at most `limit` expired sessions and as many ended ones whose tokens have expired. Returns the number of rows.
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
    let sessions = database.execute("session.expired.delete", delete).await?;
    let delete = sqlx::query!(
        r#"/* session.ended.delete */
        DELETE FROM write.ended_sessions
        WHERE session_id IN
            (SELECT session_id FROM write.ended_sessions WHERE refused_until < $1 LIMIT $2)"#,
        now,
        limit
    );
    let ended = database.execute("session.ended.delete", delete).await?;
    Ok(sessions + ended)
}
