//! The secrets that the projector shares with the other services.

use feedmill_events::{AnnouncementKey, EventKey};
use feedmill_service::{secrets::key, sql::named};
use sqlx::PgConnection;

/// The keys of `write.secrets` that the projector's role may read.
#[derive(Debug, Clone)]
pub struct ProjectorSecrets {
    /// Verifies the events in the stream.
    pub events: EventKey,
    /// Signs what is announced on core NATS.
    pub announcements: AnnouncementKey,
}

impl ProjectorSecrets {
    pub async fn read(db: &mut PgConnection) -> sqlx::Result<Self> {
        let select = sqlx::query!(
            "/* secrets.projector.read */ SELECT event_key, announcement_key FROM write.secrets"
        );
        let row = named("secrets.projector.read", select.fetch_one(db)).await?;
        Ok(Self {
            events: key(EventKey::new(&row.event_key))?,
            announcements: key(AnnouncementKey::new(&row.announcement_key))?,
        })
    }
}
