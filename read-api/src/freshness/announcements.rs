//! Receiving the projector's announcements on core NATS.
//!
//! Core NATS stores nothing: a message that is published while the connection is down, or faster than this process
//! takes it, is lost. Each announcement has the checkpoint that it starts from, so the next one reveals a lost one, and
//! a poll of the checkpoints reveals that the last one was lost. Either way everything is invalidated.

use std::{sync::atomic::Ordering, time::Duration};

use async_nats::{Client, Subscriber, connection::State};
use feedmill_events::{AnnouncementKey, subject};
use feedmill_service::{Health, nats::is_authentic};
use futures::StreamExt;
use tokio::time::{interval, sleep};

use super::progress::Progress;

/// How often the connection is checked.
const CONNECTION_POLL_INTERVAL: Duration = Duration::from_millis(50);

/// After a subscription that failed.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// Receives and applies announcements until cancelled. Also reports to `health` whether NATS is connected.
pub async fn receive_announcements(
    progress: Progress,
    client: Client,
    key: AnnouncementKey,
    health: Health,
) {
    loop {
        match client.subscribe(subject::ALL_ANNOUNCEMENTS).await {
            Ok(announcements) => receive(&progress, announcements, &client, &key, &health).await,
            Err(error) => health.set_optional("nats", Err(error.to_string())),
        }
        progress.subscription_lost();
        sleep(RETRY_INTERVAL).await;
    }
}

async fn receive(
    progress: &Progress,
    mut announcements: Subscriber,
    client: &Client,
    key: &AnnouncementKey,
    health: &Health,
) {
    // The client reconnects by itself, which shows only in the number of its connects.
    let connects = || client.statistics().connects.load(Ordering::SeqCst);
    let is_connected = || client.connection_state() == State::Connected;
    let mut poll = interval(CONNECTION_POLL_INTERVAL);
    let mut connection = None;
    loop {
        tokio::select! {
            biased;
            _ = poll.tick() => {
                let now = is_connected().then(connects);
                if now != connection {
                    connection = now;
                    progress.subscription_lost();
                    if connection.is_some() {
                        progress.subscribed();
                    }
                }
                health.set_optional("nats", connection.map(|_| ()).ok_or_else(|| {
                    "not connected; the cache is bypassed".to_owned()
                }));
            }
            message = announcements.next() => match message {
                Some(message) if is_authentic(&message, key) => {
                    progress.apply_announcement(&message.payload);
                }
                // Ignored, as if it had not been sent.
                Some(_) => {}
                None => return,
            },
        }
    }
}
