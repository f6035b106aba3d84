use super::migrate::connect_as_owner;
use crate::{config::Config, domain::Clock};

/// `write-api backup-finished`: records that a backup of PostgreSQL is complete, for the metric and the alert. Run it after the
/// backup, in the same job: `pgbackrest … backup && write-api backup-finished`.
pub async fn backup_finished(config: &Config) -> anyhow::Result<()> {
    let mut connection = connect_as_owner(config).await?;
    // Not a checked statement, because it needs the rights of the owner.
    sqlx::query(
        "INSERT INTO write.backups (finished_at) VALUES ($1)
         ON CONFLICT (only_row) DO UPDATE SET finished_at = excluded.finished_at",
    )
    .bind(Clock::default().now().at())
    .execute(&mut connection)
    .await?;
    Ok(())
}
