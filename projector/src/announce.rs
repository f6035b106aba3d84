//! Announcements on core NATS: how far a projection is and what changed.
//!
//! Announcements are best effort. Listeners detect lost ones by themselves, so nothing waits long for one to be sent, and
//! none is retried.

use std::time::Duration;

use async_nats::{Client, connection::State};
use feedmill_events::{Announcement, AnnouncementKey, Changed, Projection, Tag, subject};
use feedmill_service::{NatsArgs, nats};
use sqlx::PgConnection;
use tokio::time::timeout;

use crate::secrets::ProjectorSecrets;

/// More tags are announced as "everything": a tag takes up to ten bytes, and a NATS message may have 1 MiB.
const MAX_TAGS: usize = 10_000;
const FLUSH_TIMEOUT: Duration = Duration::from_millis(100);

/// The announcement of these tags, without duplicates.
pub fn changed(mut tags: Vec<Tag>) -> Changed {
    tags.sort_unstable();
    tags.dedup();
    if tags.len() > MAX_TAGS {
        Changed::All
    } else {
        Changed::Tags(tags)
    }
}

/// Publishes signed announcements. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Announcer {
    pub nats: Client,
    pub key: AnnouncementKey,
}

impl Announcer {
    /// For an operator's command. None if NATS is unreachable, or the key cannot be read.
    pub async fn connect(args: &NatsArgs, db: &mut PgConnection) -> Option<Self> {
        let nats = nats::connect_once(args, "projector").await.ok()?;
        let key = ProjectorSecrets::read(db).await.ok()?.announcements;
        Some(Self { nats, key })
    }

    /// Publishes an announcement. Listeners receive those of one client in order.
    pub async fn announce(&self, announcement: &Announcement) {
        // Without a connection the client would queue messages, and block the caller once its queue is full.
        if self.nats.connection_state() != State::Connected {
            return;
        }
        let Ok(bytes) = announcement.encode() else {
            return;
        };
        let subject = subject::announcements(announcement.projection);
        let published = nats::publish_signed(&self.nats, &self.key, &subject, bytes.into());
        published.await.ok();
    }

    /// Announces a cutover to a generation, which may equal another one in everything that readers see.
    pub async fn announce_cutover(
        &self,
        projection: Projection,
        generation: i32,
        equals: Option<i32>,
    ) {
        let announcement = Announcement {
            projection,
            generation,
            progress: vec![],
            changed: equals.map_or(Changed::All, |equals| Changed::Generation { equals }),
        };
        self.announce(&announcement).await;
        let _ = timeout(FLUSH_TIMEOUT, self.nats.flush()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn announcement(tags: u128) -> Announcement {
        let tags = (0..tags).map(|n| Tag::post(Uuid::from_u128(n)));
        Announcement {
            projection: Projection::Conversations,
            generation: i32::MAX,
            progress: vec![],
            changed: changed(tags.clone().chain(tags).collect()),
        }
    }

    #[test]
    fn the_largest_list_of_tags_fits_into_a_message_and_a_larger_one_becomes_everything() {
        let largest = announcement(MAX_TAGS as u128);
        assert!(matches!(&largest.changed, Changed::Tags(tags) if tags.len() == MAX_TAGS));
        assert!(largest.encode().unwrap().len() < 1 << 17);
        assert_eq!(announcement(MAX_TAGS as u128 + 1).changed, Changed::All);
    }
}
