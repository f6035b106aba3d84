use anyhow::ensure;
use feedmill_events::mac::KEY_BYTES;

use super::migrate::connect_as_owner;
use crate::config::Config;

/// `write-api forget-positions`: replaces the key of positions. Those that clients have are then 422, also where the log has
/// other events in their places, or none yet. The services read the key when they start.
pub async fn forget_positions(config: &Config) -> anyhow::Result<()> {
    let mut connection = connect_as_owner(config).await?;
    let key: [u8; KEY_BYTES] = rand::random();
    // Not checked at compile time: that would make it one of the statements that write-api's role must have the right to.
    let replaced = sqlx::query("UPDATE write.secrets SET position_key = $1")
        .bind(&key[..])
        .execute(&mut connection)
        .await?;
    ensure!(
        replaced.rows_affected() == 1,
        "write.secrets has {} rows instead of one",
        replaced.rows_affected()
    );
    println!("positions that were given out before are invalid; restart write-api and read-api");
    Ok(())
}
