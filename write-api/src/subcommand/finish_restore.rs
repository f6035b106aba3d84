use anyhow::{Context, bail, ensure};
use chrono::{DateTime, Utc};
use feedmill_events::mac::KEY_BYTES;
use sqlx::{Connection, PgConnection};

use super::migrate::connect_as_owner;
use crate::{config::Config, domain::Clock};

/// `write-api finish-restore`: begins a new incarnation of the log, after PostgreSQL was restored from a backup and before the
/// services start.
///
/// - All positions are refused (422): they may belong to other events now, or to none.
/// - All sessions have ended (401): among those that began after the backup are some whose users signed out since, and of those
///   that the database knows, some have newer refresh tokens than it knows.
///
/// These statements are not checked ones, because they need the rights of the owner. Checked statements run with write-api's role.
pub async fn finish_restore(config: &Config) -> anyhow::Result<()> {
    let mut connection = connect_as_owner(config).await?;
    refuse_while_services_run(&mut connection).await?;
    let mut transaction = connection.begin().await?;
    let key: [u8; KEY_BYTES] = rand::random();
    let replaced = sqlx::query("UPDATE write.secrets SET position_key = $1")
        .bind(&key[..])
        .execute(&mut *transaction)
        .await?;
    ensure!(
        replaced.rows_affected() == 1,
        "write.secrets has {} rows instead of one",
        replaced.rows_affected()
    );
    let now = Clock::default().now().at();
    sqlx::query("INSERT INTO write.incarnations (began_at) VALUES ($1)")
        .bind(now)
        .execute(&mut *transaction)
        .await?;
    let ended = sqlx::query("UPDATE write.sessions SET ended = true WHERE NOT ended")
        .execute(&mut *transaction)
        .await?
        .rows_affected();
    let (events, last): (i64, Option<DateTime<Utc>>) = sqlx::query_as(
        "SELECT (SELECT sum(head)::bigint FROM write.partitions),
            (SELECT max(at) FROM write.partitions JOIN write.events ON (partition, seq) = (id, head))",
    )
    .fetch_one(&mut *transaction)
    .await?;
    transaction.commit().await?;
    let last = last.map_or_else(String::new, |at| format!(", the last from {at:.3}"));
    println!("the log has {events} events{last}");
    println!(
        "all earlier positions are invalid, and all sessions have ended ({ended} of them were live)"
    );
    println!("start write-api, projector and read-api now");
    Ok(())
}

/// A service that runs has read the old key, and its relay removes from the stream what the operator may not have listed yet.
async fn refuse_while_services_run(connection: &mut PgConnection) -> anyhow::Result<()> {
    let running: Vec<(String, i64)> = sqlx::query_as(
        "SELECT usename::text, count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND usename IN ('feedmill_write', 'feedmill_projector', 'feedmill_read')
         GROUP BY 1 ORDER BY 1",
    )
    .fetch_all(connection)
    .await
    .context("cannot see who is connected")?;
    if !running.is_empty() {
        let roles = running
            .iter()
            .map(|(role, count)| format!("{role} ({count} connections)"));
        let roles: Vec<_> = roles.collect();
        bail!(
            "services are connected: {}; stop them first",
            roles.join(", ")
        );
    }
    Ok(())
}
