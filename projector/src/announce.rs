//! Telling everyone on core NATS what a projection changed and how far it is.
//!
//! A courtesy: who can do without it finds out later by itself. So nobody waits for it long, and if it cannot be
//! sent, it is not.

use std::time::Duration;

use async_nats::{Client, connection::State};
use feedmill_events::{Announcement, Changed, Projection, Tag, subject};
use tokio::time::timeout;

/// More are not named: a tag takes ten bytes at most, and a message of NATS may have 1 MiB.
const MOST_TAGS: usize = 10_000;
const WITHIN: Duration = Duration::from_millis(100);
const CONNECT_WITHIN: Duration = Duration::from_secs(1);

/// What these tags come to, each once.
pub fn changed(mut tags: Vec<Tag>) -> Changed {
    tags.sort_unstable();
    tags.dedup();
    if tags.len() > MOST_TAGS {
        Changed::All
    } else {
        Changed::Tags(tags)
    }
}

/// Announcements by one client are heard in the order in which they are made.
pub async fn announce(nats: &Client, announcement: &Announcement) {
    // Without a connection the client would keep it, and once it is full, keep us.
    if nats.connection_state() != State::Connected {
        return;
    }
    let Ok(bytes) = announcement.encode() else {
        return;
    };
    let subject = subject::announcements(announcement.projection);
    let _ = timeout(WITHIN, nats.publish(subject, bytes.into())).await;
}

/// For an operator's command. None if NATS is away.
pub async fn connect(nats_url: &str) -> Option<Client> {
    let servers: Vec<&str> = nats_url.split(',').collect();
    timeout(CONNECT_WITHIN, async_nats::connect(servers))
        .await
        .ok()?
        .ok()
}

/// Says that a generation has gone live: one that equals another, or may differ from it in anything.
pub async fn gone_live(
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
    let _ = timeout(WITHIN, nats.flush()).await;
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
    fn what_is_too_much_to_be_named_is_everything_and_all_fits_into_a_message() {
        let most = announcement(MOST_TAGS as u128);
        assert!(matches!(&most.changed, Changed::Tags(tags) if tags.len() == MOST_TAGS));
        assert!(most.encode().unwrap().len() < 1 << 17);
        assert_eq!(announcement(MOST_TAGS as u128 + 1).changed, Changed::All);
    }
}
