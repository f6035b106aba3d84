//! The gate before every handler: who asks, and how recent the answer must be.

use axum::{
    extract::{FromRef, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use feedmill_events::Projection;
use feedmill_service::{Caller, Verifier, http::timing::Waited};

use super::{
    min_position::{self, Outcome},
    request_context::RequestContext,
};
use crate::{freshness::progress::Progress, sql::secrets::Secrets};

/// What the gate of a route needs.
#[derive(Clone)]
pub struct Gate {
    pub verifier: Verifier,
    pub progress: Progress,
    pub secrets: Secrets,
    /// The projections that the route's answers depend on.
    pub projections: &'static [Projection],
}

impl FromRef<Gate> for Verifier {
    fn from_ref(gate: &Gate) -> Self {
        gate.verifier.clone()
    }
}

/// Middleware that rejects requests without a valid token (401, by [`Caller`]), waits until the projections have applied
/// the request's position, and passes the [`RequestContext`] on.
pub async fn admit(
    State(gate): State<Gate>,
    Caller(identity): Caller,
    mut request: Request,
    next: Next,
) -> Response {
    let Outcome {
        bypass_cache,
        preference_applied,
        waited,
    } = min_position::wait(&gate, identity.account, request.headers()).await;
    let mut response = match bypass_cache {
        Ok(bypass_cache) => {
            let context = RequestContext::new(identity, bypass_cache, request.headers());
            request.extensions_mut().insert(context);
            next.run(request).await
        }
        Err(error) => error.into_response(),
    };
    if let Some(waited) = waited {
        response.extensions_mut().insert(Waited(waited));
    }
    if let Some(applied) = preference_applied {
        response
            .headers_mut()
            .insert(min_position::PREFERENCE_APPLIED, applied);
    }
    response
}
