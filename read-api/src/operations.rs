//! What operators do with the caches: of all instances, by announcement.

use std::sync::Arc;

use async_nats::Client;
use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use bytes::Bytes;
use feedmill_events::{AnnouncementKey, CacheCommand, subject};
use feedmill_service::nats::{is_authentic, publish_signed};
use futures::StreamExt;
use serde_json::json;
use tokio::{
    sync::watch,
    time::{Duration, sleep, timeout},
};

use crate::{cache::caches::Caches, freshness::tag_versions::TagVersions, sql::secrets::Secrets};

/// How long a command takes at most to come back from NATS.
const ECHO_TIMEOUT: Duration = Duration::from_secs(2);

/// After a subscription that failed.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// Cheap to clone.
#[derive(Clone)]
pub struct Operations {
    caches: Caches,
    tag_versions: TagVersions,
    nats: Client,
    secrets: Secrets,
    /// How many commands were received.
    received: Arc<watch::Sender<u64>>,
}

/// The routes for the operators' listener.
pub fn router(operations: Operations) -> Router {
    let run = |command| {
        post(async move |State(operations): State<Operations>| operations.run(command).await)
    };
    Router::new()
        .route("/health/cache/clear", run(CacheCommand::Clear))
        .route("/performance/cleanup-cache", run(CacheCommand::Cleanup))
        .with_state(operations)
}

impl Operations {
    pub fn new(caches: Caches, tag_versions: TagVersions, nats: Client, secrets: Secrets) -> Self {
        Self {
            caches,
            tag_versions,
            nats,
            secrets,
            received: Arc::new(watch::Sender::new(0)),
        }
    }

    /// Has a command carried out by all instances that NATS reaches. 200 with `{instances: "all"}`; or, if this instance does not hear
    /// of its own command, 503 with `"this"`.
    async fn run(&self, command: CacheCommand) -> Response {
        let mut received = self.received.subscribe();
        let announced = async {
            let secrets = self
                .secrets
                .get()
                .await
                .map_err(|error| error.to_string())?;
            let payload = Bytes::from_static(command.name().as_bytes());
            let key = &secrets.announcements;
            let published = publish_signed(&self.nats, key, subject::CACHE, payload).await;
            published.map_err(|error| error.to_string())?;
            // The server refuses a message without telling whom it was from.
            let echo = timeout(ECHO_TIMEOUT, received.changed()).await;
            echo.map(drop)
                .map_err(|_| "NATS did not deliver it; may read-api publish to it?".to_owned())
        };
        let announced: Result<(), String> = announced.await;
        match announced {
            Ok(()) => Json(json!({ "instances": "all" })).into_response(),
            Err(error) => {
                self.apply(command);
                tracing::warn!(
                    command = command.name(),
                    error,
                    "cache: cannot announce an operator's command, it is only carried out by this instance"
                );
                let body = Json(json!({ "instances": "this", "error": error }));
                (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
            }
        }
    }

    fn apply(&self, command: CacheCommand) {
        tracing::info!(command = command.name(), "cache: an operator's command");
        match command {
            CacheCommand::Clear => {
                self.tag_versions.invalidate_all();
                self.caches.clear();
            }
            CacheCommand::Cleanup => self.caches.remove_stale(),
        }
    }

    /// Carries out what any instance announces, this one included, until cancelled.
    pub async fn receive(self) {
        let key = self.secrets.wait().await.announcements.clone();
        loop {
            match self.nats.subscribe(subject::CACHE).await {
                Ok(mut messages) => {
                    while let Some(message) = messages.next().await {
                        self.apply_message(&key, &message);
                    }
                }
                Err(error) => tracing::warn!(
                    %error,
                    "cache: cannot subscribe to operators' commands, retrying in {RETRY_INTERVAL:?}"
                ),
            }
            sleep(RETRY_INTERVAL).await;
        }
    }

    fn apply_message(&self, key: &AnnouncementKey, message: &async_nats::Message) {
        let named = |command: &CacheCommand| command.name().as_bytes() == message.payload;
        if is_authentic(message, key)
            && let Some(command) = CacheCommand::ALL.into_iter().find(named)
        {
            self.apply(command);
            self.received.send_modify(|count| *count += 1);
        }
    }
}
