//! Deletes stored answers to idempotency keys after a day, sessions that have expired or ended, the members of deleted tags, and, after a
//! month, freed handles and declined connection requests. It works in small steps, so that no request waits.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use feedmill_service::Database;
use tokio_util::sync::CancellationToken;

use crate::{
    domain::{Clock, account, connection, tag},
    session,
};

const INTERVAL: Duration = Duration::from_hours(1);

/// How long the answer to an idempotency key is stored.
const ANSWER_RETENTION: TimeDelta = TimeDelta::hours(24);

/// The maximum number of rows that a statement deletes, and the pause between two statements.
const MAX_ROWS: i64 = 1_000;
const PAUSE: Duration = Duration::from_millis(100);

/// Runs until `stop`.
pub async fn run(database: Database, clock: Arc<Clock>, stop: CancellationToken) {
    let work = async {
        loop {
            // Not at the start, when there is most to do.
            tokio::time::sleep(INTERVAL).await;
            if let Err(error) = clean(&database, clock.now().at()).await {
                tracing::warn!(%error, "housekeeping: cannot delete expired rows, retrying in an hour");
            }
        }
    };
    stop.run_until_cancelled(work).await;
}

/// Deletes everything that has expired.
pub async fn clean(database: &Database, now: DateTime<Utc>) -> sqlx::Result<()> {
    let mut totals = [0; 5];
    loop {
        let deleted = [
            delete_answers(database, now - ANSWER_RETENTION).await?,
            session::delete_expired(database, now, MAX_ROWS).await?,
            account::sql::delete_expired(database, now, MAX_ROWS).await?,
            connection::sql::delete_expired(database, now, MAX_ROWS).await?,
            tag::sql::delete_members_of_deleted(database, MAX_ROWS).await?,
        ];
        for (total, deleted) in totals.iter_mut().zip(deleted) {
            *total += deleted;
        }
        if deleted.iter().all(|deleted| *deleted < MAX_ROWS as u64) {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    let [answers, sessions, handles, declined, members] = totals;
    if totals != [0; 5] {
        tracing::info!(
            answers,
            sessions,
            handles,
            declined,
            members,
            "housekeeping: deleted expired answers, sessions, freed handles and declined requests, and members of deleted tags"
        );
    }
    Ok(())
}

async fn delete_answers(database: &Database, before: DateTime<Utc>) -> sqlx::Result<u64> {
    let delete = sqlx::query!(
        r#"/* idempotency.expired.delete */
        DELETE FROM write.idempotency
        WHERE (account_id, key) IN
            (SELECT account_id, key FROM write.idempotency WHERE created_at < $1 LIMIT $2)"#,
        before,
        MAX_ROWS
    );
    database.execute("idempotency.expired.delete", delete).await
}
