//! The announcements of a projector.

use std::sync::atomic::{AtomicI64, Ordering};

use feedmill_events::{Advance, Announcement, Changed, Projection, Tag, subject};
use feedmill_service::{Health, NatsArgs, nats};
use feedmill_tests::kit::{Nats, announcement_key, wait_until};

use crate::app::{App, account_id};

/// Announces as the projector does: partition 3 of every projection, one event at a time.
pub struct Announcer {
    pub server: Nats,
    client: async_nats::Client,
    seqs: [AtomicI64; Projection::ALL.len()],
}

impl Announcer {
    /// Makes the app receive announcements, so that it uses its cache.
    pub async fn of(app: &App) -> Self {
        let server = Nats::without_jetstream().await;
        for projection in Projection::ALL {
            app.checkpoint(projection.name(), 1, 3, 1).await;
        }
        let client = nats::connect(&NatsArgs::at(&server.url()), "test")
            .await
            .unwrap();
        let progress = app.progress.clone();
        tokio::spawn(read_api::receive_announcements(
            progress,
            client.clone(),
            announcement_key(),
            Health::new(),
        ));
        let announcer = Self {
            server,
            client,
            seqs: [const { AtomicI64::new(1) }; Projection::ALL.len()],
        };
        app.account(999_999).await;
        wait_until("the subscription", async || {
            app.state.tag_versions.is_subscribed()
        })
        .await;
        announcer
    }

    pub async fn announce(&self, projection: &str, tags: &[Tag]) {
        let projection: Projection = projection.parse().unwrap();
        let from = self.seqs[projection as usize].fetch_add(1, Ordering::SeqCst);
        let announcement = Announcement {
            projection,
            generation: 1,
            progress: vec![Advance {
                partition: 3u8.try_into().unwrap(),
                from,
                to: from + 1,
            }],
            changed: Changed::Tags(tags.to_vec()),
        };
        let bytes = announcement.encode().unwrap();
        publish(&self.client, &subject::announcements(projection), bytes).await;
    }

    /// The same, and waits until the app has received it.
    pub async fn announce_and_wait(&self, app: &App, projection: &str, tags: &[Tag]) {
        let anybody = account_id(999_999);
        wait_until("a cached answer", async || {
            app.hits(anybody, "/v1/me").await
        })
        .await;
        let probe = Tag::profile(anybody);
        self.announce(projection, &[tags, &[probe]].concat()).await;
        wait_until("the announcement", async || {
            !app.hits(anybody, "/v1/me").await
        })
        .await;
    }
}

/// Publishes a signed message, and waits until the server has it.
pub async fn publish(client: &async_nats::Client, subject: &str, payload: Vec<u8>) {
    let mut headers = async_nats::HeaderMap::new();
    headers.insert(subject::CODE, announcement_key().sign(subject, &payload));
    let published = client.publish_with_headers(subject.to_owned(), headers, payload.into());
    published.await.unwrap();
    client.flush().await.unwrap();
}
