//! `/health/live` and `/health/ready`.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{Json, Router, http::StatusCode, routing::get};
use serde_json::{Value, json};

mod check;

pub use check::check;

/// `GET /health/live`: always 200, as long as the process answers. For clients and operators.
pub(crate) fn live() -> Router {
    let live = get(|| async { Json(json!({ "live": true })) });
    Router::new().route("/health/live", live)
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Ok,
    /// The service works without it.
    Degraded(String),
    NotReady(String),
}

/// The parts of a service and their states. Clones share the state.
#[derive(Debug, Clone, Default)]
pub struct Health {
    parts: Arc<Mutex<BTreeMap<&'static str, Part>>>,
    is_unreported: bool,
}

impl Health {
    pub fn new() -> Self {
        Self::default()
    }

    /// For what the service can always do without: changes are logged, and concern its readiness in no way.
    pub fn unreported() -> Self {
        Self {
            is_unreported: true,
            ..Self::default()
        }
    }

    /// Sets the state of a part that the service needs. `Err` is the reason why it is not ready. Changes are logged,
    /// except the first state.
    pub fn set(&self, part: &'static str, state: Result<(), String>) {
        self.put(part, state.map_or_else(Part::NotReady, |()| Part::Ok));
    }

    /// Sets the state of a part that the service can do without for a while: `Err` is shown as the reason why it is
    /// degraded, and the service stays ready.
    pub fn set_optional(&self, part: &'static str, state: Result<(), String>) {
        self.put(part, state.map_or_else(Part::Degraded, |()| Part::Ok));
    }

    pub fn is_ready(&self) -> bool {
        !self
            .lock()
            .values()
            .any(|part| matches!(part, Part::NotReady(_)))
    }

    /// For operators: `GET /health/live`, and `GET /health/ready`: 200 or 503, with the parts:
    /// `{"ready": true, "parts": {"database": "ok"}}`.
    pub fn router(&self) -> Router {
        let health = self.clone();
        live().route(
            "/health/ready",
            get(move || async move {
                let status = if health.is_ready() {
                    StatusCode::OK
                } else {
                    StatusCode::SERVICE_UNAVAILABLE
                };
                (status, Json(health.report()))
            }),
        )
    }

    fn report(&self) -> Value {
        let parts: BTreeMap<_, _> = self
            .lock()
            .iter()
            .map(|(name, part)| {
                let text = match part {
                    Part::Ok => "ok".to_owned(),
                    Part::Degraded(reason) => format!("degraded: {reason}"),
                    Part::NotReady(reason) => reason.clone(),
                };
                (*name, text)
            })
            .collect();
        json!({ "ready": self.is_ready(), "parts": parts })
    }

    fn put(&self, name: &'static str, part: Part) {
        let before = self.lock().insert(name, part.clone());
        if !self.is_unreported {
            metrics::gauge!("service_ready").set(f64::from(u8::from(self.is_ready())));
        }
        match (before, part) {
            (before, part) if before.as_ref() == Some(&part) => {}
            (None, _) => {}
            (Some(_), Part::Ok) => tracing::info!(part = name, "health: a part is ok again"),
            (Some(_), Part::Degraded(reason)) => tracing::warn!(
                part = name,
                reason,
                "health: a part is degraded, the service stays ready"
            ),
            (Some(_), Part::NotReady(reason)) => tracing::warn!(
                part = name,
                reason,
                "health: a part is not ready, /health/ready answers 503"
            ),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, Part>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
