use anyhow::ensure;
use feedmill_events::mac::KEY_BYTES;

use super::migrate::connect_as_owner;
use crate::config::Config;

/// `write-api invalidate-positions`: replaces the key of positions. A read with an older position is then 422. After a restore
/// its sequence number may be that of another event, or of none. The services read the key when they start.
pub async fn invalidate_positions(config: &Config) -> anyhow::Result<()> {
    let mut connection = connect_as_owner(config).await?;
    let key: [u8; KEY_BYTES] = rand::random();
    // Not a checked statement: those need no other rights than write-api's role has, and this one needs the owner's.
    let replaced = sqlx::query("UPDATE write.secrets SET position_key = $1")
        .bind(&key[..])
        .execute(&mut connection)
        .await?;
    ensure!(
        replaced.rows_affected() == 1,
        "write.secrets has {} rows instead of one",
        replaced.rows_affected()
    );
    println!("all earlier positions are invalid; restart write-api and read-api");
    Ok(())
}
