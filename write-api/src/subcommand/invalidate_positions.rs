use anyhow::ensure;
use feedmill_events::mac::KEY_BYTES;

use super::migrate::connect_as_owner;
use crate::config::Config;

/// `write-api invalidate-positions`: replaces the key of positions. A read with an older position is then 422. Without
/// this, after a restore, an old position could belong to another event, or to none. The services read the key when they start.
pub async fn invalidate_positions(config: &Config) -> anyhow::Result<()> {
    let mut connection = connect_as_owner(config).await?;
    let key: [u8; KEY_BYTES] = rand::random();
    // This is not a checked statement, because it needs the rights of the owner. Checked statements run with write-api's role.
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
