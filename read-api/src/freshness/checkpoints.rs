//! Polling the checkpoint table.

use std::time::Duration;

use feedmill_service::{Database, Health};
use tokio::time::{sleep, timeout};

use super::progress::Progress;
use crate::sql::checkpoints;

/// The least time between two polls, however many requests wait for a position.
const POLL_INTERVAL: Duration = Duration::from_millis(30);

/// Between two polls while no request waits. Announcements arrive sooner.
const IDLE_POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Polls the checkpoints until cancelled. Also reports to `health` whether the database answers.
pub async fn poll_checkpoints(progress: Progress, database: Database, health: Health) {
    loop {
        let subscription = progress.subscription();
        match checkpoints::live(&database).await {
            Ok(checkpoints) => {
                health.set("database", Ok(()));
                progress.apply_checkpoints(&checkpoints, subscription);
            }
            Err(error) => health.set("database", Err(error.to_string())),
        }
        sleep(POLL_INTERVAL).await;
        let _ = timeout(IDLE_POLL_INTERVAL, progress.poll_requested()).await;
    }
}
