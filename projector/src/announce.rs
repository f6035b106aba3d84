//! Announcements on core NATS: how far a projection is and what changed.
//!
//! Announcements are best effort. Listeners detect lost ones by themselves, so nothing waits long for one to be sent, and
//! none is retried.

use std::time::Duration;

use async_nats::{Client, connection::State};
use feedmill_events::{Announcement, Changed, Projection, Tag, subject};
use tokio::time::timeout;

/// More tags are announced as "everything": a tag takes up to ten bytes, and a NATS message may have 1 MiB.
const MAX_TAGS: usize = 10_000;
const PUBLISH_TIMEOUT: Duration = Duration::from_millis(100);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

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

/// Publishes an announcement. Listeners receive those of one client in order.
pub async fn announce(nats: &Client, announcement: &Announcement) {
    // Without a connection the client would queue messages, and block the caller once its queue is full.
    if nats.connection_state() != State::Connected {
        return;
    }
    let Ok(bytes) = announcement.encode() else {
        return;
    };
    let subject = subject::announcements(announcement.projection);
    let _ = timeout(PUBLISH_TIMEOUT, nats.publish(subject, bytes.into())).await;
}

/// Connects for an operator's command. None if NATS is unreachable.
pub async fn connect(nats_url: &str) -> Option<Client> {
    let servers: Vec<&str> = nats_url.split(',').collect();
    timeout(CONNECT_TIMEOUT, async_nats::connect(servers))
        .await
        .ok()?
        .ok()
}

/// Announces a cutover to a generation, which may equal another one in everything that readers see.
pub async fn announce_cutover(
    nats: &Client,
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
    announce(nats, &announcement).await;
    let _ = timeout(PUBLISH_TIMEOUT, nats.flush()).await;
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
