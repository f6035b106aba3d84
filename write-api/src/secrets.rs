//! The secrets that write-api shares with the other services.

use feedmill_events::{AnnouncementKey, EventKey, PositionKey};
use feedmill_service::{
    Database,
    secrets::{self, key},
};

/// The keys in `write.secrets` that write-api uses.
#[derive(Debug)]
pub struct WriteSecrets {
    /// Signs the events that the relay publishes.
    pub events: EventKey,
    /// Signs and verifies what is announced on core NATS.
    pub announcements: AnnouncementKey,
    /// Seals the positions in answers.
    pub positions: PositionKey,
}

pub type Secrets = secrets::Secrets<WriteSecrets>;

impl secrets::Read for WriteSecrets {
    async fn read(database: &Database) -> sqlx::Result<Self> {
        let select = sqlx::query!(
            "/* secrets.write.read */ SELECT event_key, announcement_key, position_key FROM write.secrets"
        );
        let row = database.one("secrets.write.read", select).await?;
        Ok(Self {
            events: key(EventKey::new(&row.event_key))?,
            announcements: key(AnnouncementKey::new(&row.announcement_key))?,
            positions: key(PositionKey::new(&row.position_key))?,
        })
    }
}
