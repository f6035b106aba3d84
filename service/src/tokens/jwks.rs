//! Fetching a key set: bounded in size and time, one fetch at a time.

use std::time::Duration;

use anyhow::{Context, ensure};
use jsonwebtoken::jwk::JwkSet;
use tokio::{
    sync::Mutex,
    time::{Instant, sleep},
};

use crate::{health::Health, telemetry};

const TIMEOUT: Duration = Duration::from_secs(5);
const MAX_BYTES: usize = 256 * 1024;

/// However many tokens with unknown keys come, they cause no more fetches than one in this time.
const UNKNOWN_KEY_PAUSE: Duration = Duration::from_secs(10);
const REFRESH: Duration = Duration::from_mins(5);
const FIRST_RETRY: Duration = Duration::from_millis(250);
const MAX_RETRY: Duration = Duration::from_secs(10);

const PART: &str = "token_keys";

#[derive(Debug)]
pub(super) struct Source {
    url: reqwest::Url,
    client: reqwest::Client,
    /// When an unknown key last caused a fetch, and whether that worked.
    last: Mutex<Option<(Instant, bool)>>,
}

pub(super) fn set_not_ready(health: &Health, reason: &str) {
    health.set(PART, Err(reason.to_owned()));
}

impl Source {
    pub(super) fn new(url: &str) -> anyhow::Result<Self> {
        telemetry::crypto();
        let url = url
            .parse()
            .with_context(|| format!("{url:?} is no URL of a key set"))?;
        let client = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .connect_timeout(TIMEOUT)
            .build()
            .context("cannot make an HTTP client")?;
        Ok(Self {
            url,
            client,
            last: Mutex::default(),
        })
    }

    /// Fetches unless that was done a moment ago. Calls at the same time share one fetch; true if it
    /// worked.
    pub(super) async fn fetch_if_due(&self, put: impl Fn(&JwkSet) -> Result<(), String>) -> bool {
        let asked = Instant::now();
        let mut last = self.last.lock().await;
        if let Some((at, worked)) = *last
            && at.elapsed() < UNKNOWN_KEY_PAUSE
        {
            // It ended while this call waited: its keys are news to this caller.
            return worked && at >= asked;
        }
        let result = self.fetch(&put).await;
        if let Err(error) = &result {
            tracing::warn!(
                error = format!("{error:#}"),
                "cannot fetch the key set for an unknown key"
            );
        }
        *last = Some((Instant::now(), result.is_ok()));
        result.is_ok()
    }

    /// Fetches until it works, then now and then, for ever.
    pub(super) async fn keep_fresh(
        &self,
        put: impl Fn(&JwkSet) -> Result<(), String>,
        any: impl Fn() -> bool,
        health: &Health,
    ) {
        let mut retry = FIRST_RETRY;
        loop {
            match self.fetch(&put).await {
                Ok(()) => {
                    health.set(PART, Ok(()));
                    retry = FIRST_RETRY;
                    sleep(REFRESH).await;
                }
                Err(error) => {
                    let reason = format!("cannot fetch {}: {error:#}", self.url);
                    // Known keys stay good when their source is away.
                    if any() {
                        health.note(PART, Err(reason));
                    } else {
                        health.set(PART, Err(reason));
                    }
                    sleep(retry).await;
                    retry = (retry * 2).min(MAX_RETRY);
                }
            }
        }
    }

    async fn fetch(&self, put: impl Fn(&JwkSet) -> Result<(), String>) -> anyhow::Result<()> {
        let mut response = self
            .client
            .get(self.url.clone())
            .send()
            .await?
            .error_for_status()?;
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            ensure!(
                bytes.len() + chunk.len() <= MAX_BYTES,
                "it is larger than {MAX_BYTES} bytes"
            );
            bytes.extend_from_slice(&chunk);
        }
        let set = serde_json::from_slice(&bytes).context("it is no JSON Web Key Set")?;
        put(&set).map_err(anyhow::Error::msg)
    }
}
