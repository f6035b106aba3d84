//! Shutting a service down, in three stages.

use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Three cancellation tokens, cancelled in this order. After `drain`, the service serves as before, but says that it is not ready and
/// asks its clients to close their connections, so that they go to another instance by themselves. After `soft`, it accepts no new
/// work and finishes work in progress. After `hard`, it stops at once.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    pub drain: CancellationToken,
    pub soft: CancellationToken,
    pub hard: CancellationToken,
}

impl Shutdown {
    /// A shutdown that only the caller triggers.
    pub fn new() -> Self {
        Self::default()
    }

    /// A shutdown on signals: SIGTERM cancels `drain` and, after that time, `soft`. SIGINT (Ctrl-C) cancels both at once, since whoever
    /// types it waits. A second signal, or the end of `grace`, cancels `hard`. Needs a tokio runtime. Errors: the signal handlers
    /// cannot be installed.
    pub fn on_signals(drain: Duration, grace: Duration) -> anyhow::Result<Self> {
        let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
        let shutdown = Self::new();
        let tokens = shutdown.clone();
        tokio::spawn(async move {
            let drains = tokio::select! {
                _ = terminate.recv() => !drain.is_zero(),
                _ = interrupt.recv() => false,
                () = tokens.soft.cancelled() => false,
            };
            tokens.drain.cancel();
            if drains {
                tracing::info!(
                    drain_seconds = drain.as_secs_f64(),
                    "shutting down: not ready any more, asking clients to close their connections"
                );
                tokio::select! {
                    () = tokio::time::sleep(drain) => {}
                    _ = terminate.recv() => return tokens.now(),
                    _ = interrupt.recv() => return tokens.now(),
                    () = tokens.soft.cancelled() => {}
                }
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

    /// Cancels all: for tests, and for a service of which a part has failed permanently.
    pub fn now(&self) {
        self.drain.cancel();
        self.soft.cancel();
        self.hard.cancel();
    }
}
