//! Shutting a service down, in two stages.

use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Two cancellation tokens. When `soft` is cancelled, the service accepts no new work and finishes work in progress.
/// When `hard` is cancelled, it stops at once. `hard` is never cancelled before `soft`.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    pub soft: CancellationToken,
    pub hard: CancellationToken,
}

impl Shutdown {
    /// A shutdown that only the caller triggers.
    pub fn new() -> Self {
        Self::default()
    }

    /// A shutdown on signals: SIGTERM or SIGINT (Ctrl-C) cancels `soft`; a second signal, or the end of `grace`,
    /// cancels `hard`. Needs a tokio runtime. Errors: the signal handlers cannot be installed.
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
                "shutting down: finishing work in progress"
            );
            tokens.soft.cancel();
            tokio::select! {
                _ = terminate.recv() => tracing::warn!("shutting down: second signal, stopping at once"),
                _ = interrupt.recv() => tracing::warn!("shutting down: second signal, stopping at once"),
                () = tokio::time::sleep(grace) => tracing::warn!("shutting down: SHUTDOWN_GRACE is over, stopping at once"),
            }
            tokens.hard.cancel();
        });
        Ok(shutdown)
    }

    /// Cancels both: for tests, and for a service of which a part has failed permanently.
    pub fn now(&self) {
        self.soft.cancel();
        self.hard.cancel();
    }
}
