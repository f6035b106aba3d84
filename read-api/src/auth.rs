//! The gate in front of every handler: who asks, and how fresh the answer must be.

use std::time::Instant;

use axum::{
    extract::{FromRef, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use feedmill_service::{Caller, Verifier};
use uuid::Uuid;

use crate::{
    position::{self, Waited},
    progress::Projection,
    state::AppState,
};

/// What a route's gate needs.
#[derive(Clone)]
pub struct Gate {
    pub state: AppState,
    /// What the route's answers are made of.
    pub projections: &'static [Projection],
}

impl FromRef<Gate> for Verifier {
    fn from_ref(gate: &Gate) -> Self {
        gate.state.verifier.clone()
    }
}

/// An extension of every request that gets as far as a handler.
#[derive(Debug, Clone, Copy)]
pub struct Admitted {
    /// The account of a valid token.
    pub viewer: Uuid,
    pub arrived: Instant,
    /// The position of the request is reached, but of what changed up to it, something may not have been heard of.
    pub unheard: bool,
}

/// Middleware: nobody gets further without a valid token (401, by [`Caller`]), nor before the projections have
/// reached the position of the request, if it has one.
pub async fn admit(
    State(gate): State<Gate>,
    Caller(identity): Caller,
    mut request: Request,
    next: Next,
) -> Response {
    let arrived = Instant::now();
    let progress = &gate.state.progress;
    let Waited { unheard, applied } =
        position::wait(progress, gate.projections, request.headers()).await;
    let mut response = match unheard {
        Ok(unheard) => {
            request.extensions_mut().insert(Admitted {
                viewer: identity.account,
                arrived,
                unheard,
            });
            next.run(request).await
        }
        Err(error) => error.into_response(),
    };
    if let Some(applied) = applied {
        let name = position::PREFERENCE_APPLIED;
        response.headers_mut().insert(name, applied);
    }
    response
}
