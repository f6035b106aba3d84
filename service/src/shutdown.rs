//! The end of a service, in two stages.

use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Cancelled tokens, in order: `soft` means take nothing new and finish what is under way; `hard` means
/// stop now. `hard` is never cancelled before `soft`.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    pub soft: CancellationToken,
    pub hard: CancellationToken,
}

impl Shutdown {
    /// One that nobody but the caller ends.
    pub fn new() -> Self {
        Self::default()
    }

    /// SIGTERM or SIGINT (Ctrl-C) is the first stage; a second signal, or `grace` passing, is the second.
    /// Needs a tokio runtime.
    pub fn on_signals(grace: Duration) -> anyhow::Result<Self> {
        let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
        let shutdown = Self::new();
        let tokens = shutdown.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                () = tokens.soft.cancelled() => {}
            }
            tracing::info!(
                grace_seconds = grace.as_secs_f64(),
                "shutting down: what is under way may finish"
            );
            tokens.soft.cancel();
            tokio::select! {
                _ = terminate.recv() => tracing::warn!("a second signal: stopping at once"),
                _ = interrupt.recv() => tracing::warn!("a second signal: stopping at once"),
                () = tokio::time::sleep(grace) => tracing::warn!("the time to finish is over: stopping at once"),
            }
            tokens.hard.cancel();
        });
        Ok(shutdown)
    }

    /// Ends both stages: for tests, and for a service whose part has failed for good.
    pub fn now(&self) {
        self.soft.cancel();
        self.hard.cancel();
    }
}
