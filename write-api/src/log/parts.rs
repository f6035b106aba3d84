//! The parts of the log: the tables that `write.events` is partitioned into, each with a range of sequence numbers. An old part is
//! complete and can be moved to other storage (`write-api log move`). See migration `0018_log_parts`.

use std::time::Duration;

use feedmill_service::Database;

/// A part is added when its predecessor has its first event, so there is time for a whole part.
const INTERVAL: Duration = Duration::from_secs(30);

/// Adds a part of `size` sequence numbers whenever the log reaches the last one. Never returns.
pub async fn add_ahead(database: Database, size: i64) {
    let mut interval = tokio::time::interval(INTERVAL);
    loop {
        interval.tick().await;
        match add(&database, size).await {
            Ok(false) => {}
            Ok(true) => {
                tracing::info!(size, "log: added a part");
                // There may be room for another, after a change of the size.
                interval.reset_immediately();
            }
            Err(error) => {
                tracing::warn!(%error, "log: cannot add a part, retrying in {INTERVAL:?}; without one, events go to write.events_rest");
            }
        }
    }
}

/// Whether a part was added: the log has reached the last one.
async fn add(database: &Database, size: i64) -> sqlx::Result<bool> {
    let add = sqlx::query!(
        r#"/* log.parts.add */ SELECT write.add_log_part($1) AS "added!""#,
        size
    );
    Ok(database.one("log.parts.add", add).await?.added)
}
