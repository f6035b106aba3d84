//! The secrets that read-api shares with the other services.

use feedmill_events::{AnnouncementKey, PositionKey};
use feedmill_service::{
    Database,
    secrets::{self, key},
};

/// The keys of `write.secrets` that read-api's role may read, and the log's incarnation that they are of.
#[derive(Debug)]
pub struct ReadSecrets {
    /// Verifies what is announced on core NATS.
    pub announcements: AnnouncementKey,
    /// Opens the positions in requests.
    pub positions: PositionKey,
    /// When the present incarnation of the log began, in Unix milliseconds; 0 if PostgreSQL was never restored.
    pub incarnation_began: i64,
}

pub type Secrets = secrets::Secrets<ReadSecrets>;

impl secrets::Read for ReadSecrets {
    async fn read(database: &Database) -> sqlx::Result<Self> {
        let select = sqlx::query!(
            r#"/* secrets.read.read */
            SELECT announcement_key, position_key, (SELECT max(began_at) FROM write.incarnations) AS "began_at?"
            FROM write.secrets"#
        );
        let row = database.one("secrets.read.read", select).await?;
        Ok(Self {
            announcements: key(AnnouncementKey::new(&row.announcement_key))?,
            positions: key(PositionKey::new(&row.position_key))?,
            incarnation_began: row.began_at.map_or(0, |at| at.timestamp_millis()),
        })
    }
}
