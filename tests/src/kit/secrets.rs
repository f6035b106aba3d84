//! The secrets of databases that have their tables from the kit. (Those of a [`Stack`](super::Stack) are random.)

use feedmill_events::{AnnouncementKey, EventKey, PositionKey, mac::KEY_BYTES};
use sqlx::PgPool;

pub(super) const KEY: [u8; KEY_BYTES] = [7; KEY_BYTES];

/// Signs events as write-api does.
pub fn event_key() -> EventKey {
    EventKey::new(&KEY).expect("a key")
}

/// Signs announcements as the services do.
pub fn announcement_key() -> AnnouncementKey {
    AnnouncementKey::new(&KEY).expect("a key")
}

/// Seals positions as write-api does.
pub fn position_key() -> PositionKey {
    PositionKey::new(&KEY).expect("a key")
}

/// That of an installation.
pub async fn position_key_of(pool: &PgPool) -> PositionKey {
    let key: Vec<u8> = sqlx::query_scalar("SELECT position_key FROM write.secrets")
        .fetch_one(pool)
        .await
        .expect("the secrets");
    PositionKey::new(&key).expect("a key")
}
