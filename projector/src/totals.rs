//! How many accounts, connections and posts the read models have, as metrics.

use std::time::Duration;

use feedmill_service::Database;
use sqlx::query;
use tokio::time::interval;

use crate::metrics as names;

const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// Updates the gauges until cancelled. Without the tables or PostgreSQL they keep their values.
pub async fn report(database: Database) {
    let mut tick = interval(POLL_INTERVAL);
    loop {
        tick.tick().await;
        // Other instances may have to create them first.
        let tables = query!(
            r#"/* totals.tables */
            SELECT to_regclass('profiles.account_totals') IS NOT NULL
                AND to_regclass('feed.post_totals') IS NOT NULL AS "exist!""#
        );
        let tables = database.one("totals.tables", tables).await;
        if !tables.is_ok_and(|tables| tables.exist) {
            continue;
        }
        let statement = query!(
            r#"/* totals.read */
            SELECT
                (SELECT coalesce(sum(accounts), 0) FROM profiles.account_totals)::bigint AS "accounts!",
                (SELECT coalesce(sum(connections), 0) FROM profiles.account_totals)::bigint AS "sides!",
                (SELECT coalesce(sum(posts), 0) FROM feed.post_totals)::bigint AS "posts!""#
        );
        if let Ok(totals) = database.one("totals.read", statement).await {
            metrics::gauge!(names::USERS).set(totals.accounts as f64);
            // Each of the two has a side.
            metrics::gauge!(names::CONNECTIONS).set((totals.sides / 2) as f64);
            metrics::gauge!(names::POSTS).set(totals.posts as f64);
        }
    }
}
