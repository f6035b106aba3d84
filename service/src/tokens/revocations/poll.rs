//! Polling the list of ended sessions that write-api serves.

use std::time::Duration;

use anyhow::Context;
use reqwest::{
    StatusCode,
    header::{ETAG, HeaderValue, IF_NONE_MATCH},
};
use tokio::time::sleep;

use super::{Revocations, list};
use crate::{health::Health, tokens::fetch};

/// Together with the interval at which an instance of write-api reads what others have ended, less than a second.
const POLL_INTERVAL: Duration = Duration::from_millis(400);
const POLL_TIMEOUT: Duration = Duration::from_secs(2);

/// About 200,000 sessions that end within the lifetime of an access token.
const MAX_BYTES: usize = 16 << 20;

const HEALTH_PART: &str = "ended_sessions";

/// Polls the list at one URL.
#[derive(Debug)]
pub struct EndedSessionPoll {
    revocations: Revocations,
    url: reqwest::Url,
    client: reqwest::Client,
    health: Health,
    /// The `ETag` of the last list.
    etag: Option<HeaderValue>,
    /// Whether there was an answer since the start.
    is_answered: bool,
}

impl EndedSessionPoll {
    /// Of the write-api whose listener for operators is at this base URL. Until it has answered, the part `ended_sessions` of `health` is not ready, so that
    /// no request is served with an ended session after a start. Errors: an invalid URL.
    pub fn new(
        write_admin_url: &str,
        revocations: Revocations,
        health: &Health,
    ) -> anyhow::Result<Self> {
        let url = format!("{}{}", write_admin_url.trim_end_matches('/'), list::PATH);
        let url = url
            .parse()
            .with_context(|| format!("{write_admin_url:?} is not the URL of write-api"))?;
        health.set(HEALTH_PART, Err("not fetched yet".to_owned()));
        Ok(Self {
            revocations,
            url,
            client: fetch::client(POLL_TIMEOUT)?,
            health: health.clone(),
            etag: None,
            is_answered: false,
        })
    }

    /// Polls until cancelled. Never returns.
    pub async fn run(mut self) {
        loop {
            let outcome = self.poll().await;
            self.is_answered |= outcome.is_ok();
            let state = outcome.map_err(|error| format!("cannot fetch {}: {error:#}", self.url));
            // What is known stays, and NATS brings what is new.
            if self.is_answered {
                self.health.set_optional(HEALTH_PART, state);
            } else {
                self.health.set(HEALTH_PART, state);
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    async fn poll(&mut self) -> anyhow::Result<()> {
        let mut request = self.client.get(self.url.clone());
        if let Some(etag) = &self.etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let response = request.send().await?;
        if response.status() == StatusCode::NOT_MODIFIED {
            return Ok(());
        }
        let response = response.error_for_status()?;
        let etag = response.headers().get(ETAG).cloned();
        let bytes = fetch::body(response, MAX_BYTES).await?;
        let ended = list::decode(&bytes).context("the answer is not a list of ended sessions")?;
        self.revocations.extend(&ended);
        self.etag = etag;
        Ok(())
    }
}
