//! Fetching a document over HTTP: bounded in size and time.

use std::time::Duration;

use anyhow::{Context, ensure};

use crate::telemetry;

/// A client whose requests, with their answers, take `timeout` at most.
pub(super) fn client(timeout: Duration) -> anyhow::Result<reqwest::Client> {
    telemetry::install_crypto_provider();
    reqwest::Client::builder()
        .timeout(timeout)
        .connect_timeout(timeout)
        .build()
        .context("cannot make an HTTP client")
}

/// The body. Errors: it is larger than `max_bytes`, or incomplete.
pub(super) async fn body(
    mut response: reqwest::Response,
    max_bytes: usize,
) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        ensure!(
            bytes.len() + chunk.len() <= max_bytes,
            "the answer is larger than {max_bytes} bytes"
        );
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
