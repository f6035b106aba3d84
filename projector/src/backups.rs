//! When PostgreSQL was last backed up, as metrics for the alerts.

use std::time::Duration;

use chrono::{DateTime, Utc};
use feedmill_service::Database;
use sqlx::query;
use tokio::time::interval;

use crate::metrics as names;

const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// Updates the gauges until cancelled. Without PostgreSQL they keep their values.
pub async fn report(database: Database) {
    let mut tick = interval(POLL_INTERVAL);
    loop {
        tick.tick().await;
        let statement = query!(
            r#"/* backups.read */
            SELECT
                (SELECT finished_at FROM write.backups) AS "finished_at?",
                (SELECT last_archived_time FROM pg_stat_archiver) AS "archived_at?""#
        );
        if let Ok(backups) = database.one("backups.read", statement).await {
            metrics::gauge!(names::LAST_BACKUP).set(unix_seconds(backups.finished_at));
            metrics::gauge!(names::LAST_ARCHIVED).set(unix_seconds(backups.archived_at));
        }
    }
}

/// 0 for never.
fn unix_seconds(at: Option<DateTime<Utc>>) -> f64 {
    at.map_or(0.0, |at| at.timestamp() as f64)
}
