//! Fetching a JSON Web Key Set (RFC 7517): bounded in size and time, one fetch at a time.

use std::time::Duration;

use anyhow::Context;
use jsonwebtoken::jwk::JwkSet;
use tokio::{
    sync::Mutex,
    time::{Instant, sleep},
};

use super::fetch;
use crate::health::Health;

const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_BYTES: usize = 256 * 1024;

/// The minimum time between two fetches that tokens with unknown keys cause, however many such tokens come.
const UNKNOWN_KEY_INTERVAL: Duration = Duration::from_secs(10);
const REFRESH_INTERVAL: Duration = Duration::from_mins(5);
const FIRST_RETRY: Duration = Duration::from_millis(250);
const MAX_RETRY: Duration = Duration::from_secs(10);

const HEALTH_PART: &str = "token_keys";

#[derive(Debug)]
pub(super) struct KeySource {
    url: reqwest::Url,
    client: reqwest::Client,
    /// The end of the last fetch that an unknown key caused, and whether it succeeded.
    last: Mutex<Option<(Instant, bool)>>,
}

pub(super) fn set_not_ready(health: &Health, reason: &str) {
    health.set(HEALTH_PART, Err(reason.to_owned()));
}

impl KeySource {
    pub(super) fn new(url: &str) -> anyhow::Result<Self> {
        let url = url
            .parse()
            .with_context(|| format!("{url:?} is not the URL of a key set"))?;
        Ok(Self {
            url,
            client: fetch::client(FETCH_TIMEOUT)?,
            last: Mutex::default(),
        })
    }

    /// Fetches the key set for a token with an unknown key, and gives it to `store`, unless that was done less than
    /// [`UNKNOWN_KEY_INTERVAL`] ago. Concurrent calls share one fetch. True if there is a newer key set than at the
    /// time of the call.
    pub(super) async fn fetch_if_due(&self, store: impl Fn(&JwkSet) -> Result<(), String>) -> bool {
        let called = Instant::now();
        let mut last = self.last.lock().await;
        if let Some((ended, succeeded)) = *last
            && ended.elapsed() < UNKNOWN_KEY_INTERVAL
        {
            // A fetch that ended while this call waited for the lock has keys that this caller has not tried.
            return succeeded && ended >= called;
        }
        let result = self.fetch(&store).await;
        if let Err(error) = &result {
            tracing::warn!(
                error = format!("{error:#}"),
                url = %self.url,
                "tokens: cannot fetch the key set for an unknown key"
            );
        }
        *last = Some((Instant::now(), result.is_ok()));
        result.is_ok()
    }

    /// Fetches the key set until that succeeds, then every [`REFRESH_INTERVAL`]. Never returns.
    pub(super) async fn keep_fresh(
        &self,
        store: impl Fn(&JwkSet) -> Result<(), String>,
        has_keys: impl Fn() -> bool,
        health: &Health,
    ) {
        let mut retry = FIRST_RETRY;
        loop {
            match self.fetch(&store).await {
                Ok(()) => {
                    health.set(HEALTH_PART, Ok(()));
                    retry = FIRST_RETRY;
                    sleep(REFRESH_INTERVAL).await;
                }
                Err(error) => {
                    let reason = format!("cannot fetch {}: {error:#}", self.url);
                    // Known keys stay valid while their source is unavailable.
                    if has_keys() {
                        health.set_optional(HEALTH_PART, Err(reason));
                    } else {
                        health.set(HEALTH_PART, Err(reason));
                    }
                    sleep(retry).await;
                    retry = (retry * 2).min(MAX_RETRY);
                }
            }
        }
    }

    async fn fetch(&self, store: impl Fn(&JwkSet) -> Result<(), String>) -> anyhow::Result<()> {
        let response = self
            .client
            .get(self.url.clone())
            .send()
            .await?
            .error_for_status()?;
        let bytes = fetch::body(response, MAX_BYTES).await?;
        let set = serde_json::from_slice(&bytes).context("the answer is not a JSON Web Key Set")?;
        store(&set).map_err(anyhow::Error::msg)
    }
}
