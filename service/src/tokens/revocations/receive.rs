//! Receiving ended sessions from core NATS, at once but at most once.

use std::time::Duration;

use async_nats::Client;
use feedmill_events::{AnnouncementKey, subject};
use futures::StreamExt;
use tokio::time::sleep;

use super::{Revocations, list};
use crate::nats;

/// After a subscription that failed.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// Adds the sessions that the instances of write-api announce, until cancelled. The client subscribes again by itself after
/// a reconnect; what it missed meanwhile is in the list that is polled.
pub async fn receive_ended_sessions(
    revocations: Revocations,
    client: Client,
    key: AnnouncementKey,
) {
    loop {
        match client.subscribe(subject::ENDED_SESSIONS).await {
            Ok(mut messages) => {
                while let Some(message) = messages.next().await {
                    if !nats::is_authentic(&message, &key) {
                        continue;
                    }
                    match list::decode(&message.payload) {
                        Ok(ended) => revocations.extend(&ended),
                        Err(error) => tracing::warn!(
                            %error,
                            "tokens: ignoring a malformed message about ended sessions"
                        ),
                    }
                }
            }
            Err(error) => tracing::warn!(
                %error,
                "tokens: cannot subscribe to ended sessions, retrying in {RETRY_INTERVAL:?}"
            ),
        }
        sleep(RETRY_INTERVAL).await;
    }
}
