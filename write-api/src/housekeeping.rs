//! What has had its time is deleted: answers to idempotency keys after a day, sessions when they expire. In
//! small portions, so that nobody waits for it.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use feedmill_service::Database;
use tokio_util::sync::CancellationToken;

use crate::{domain::Clock, session};

const EVERY: Duration = Duration::from_hours(1);

/// How long an answer can be had again by its idempotency key.
const ANSWERS_KEPT: TimeDelta = TimeDelta::hours(24);

/// Rows a statement, and the pause between two.
const PORTION: i64 = 1_000;
const PAUSE: Duration = Duration::from_millis(100);

/// Runs until `stop`.
pub async fn run(database: Database, clock: Arc<Clock>, stop: CancellationToken) {
    let work = async {
        loop {
            // First after a while, not in the rush of a start.
            tokio::time::sleep(EVERY).await;
            if let Err(error) = clean(&database, clock.now().at()).await {
                tracing::warn!(%error, "housekeeping failed; it is tried again in an hour");
            }
        }
    };
    stop.run_until_cancelled(work).await;
}

/// Deletes all that has had its time.
pub async fn clean(database: &Database, now: DateTime<Utc>) -> sqlx::Result<()> {
    let (mut answers, mut sessions) = (0, 0);
    loop {
        let deleted = delete_answers(database, now - ANSWERS_KEPT).await?;
        let expired = session::delete_expired(database, now, PORTION).await?;
        answers += deleted;
        sessions += expired;
        if deleted < PORTION as u64 && expired < PORTION as u64 {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    if answers + sessions > 0 {
        tracing::info!(answers, sessions, "deleted what has had its time");
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
        PORTION
    );
    database.execute("idempotency.expired.delete", delete).await
}
