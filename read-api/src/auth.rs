//! Who asks.

use axum::{extract::Request, middleware::Next, response::Response};
use feedmill_service::Caller;
use uuid::Uuid;

/// The account of a valid token: an extension of every request that gets as far as a handler.
#[derive(Debug, Clone, Copy)]
pub struct Viewer(pub Uuid);

/// Middleware: nobody gets further without a valid token (401, by [`Caller`]).
pub async fn authenticate(Caller(identity): Caller, mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(Viewer(identity.account));
    next.run(request).await
}
