//! What all requests share.

use axum::extract::FromRef;
use feedmill_service::Verifier;
use sqlx::PgPool;

use crate::{cache::Cache, changes::Changes, cursor::Cursors, progress::Progress, stream::Streams};

/// The live read models; statements name tables without a schema.
pub const SEARCH_PATH: &str = "profiles, feed, digest, conversations, notifications, projector";

/// Cheap to clone.
#[derive(Clone)]
pub struct AppState {
    pub pool: PgPool,
    pub verifier: Verifier,
    pub cursors: Cursors,
    pub progress: Progress,
    pub changes: Changes,
    pub cache: Cache,
    pub streams: Streams,
}

impl FromRef<AppState> for Verifier {
    fn from_ref(state: &AppState) -> Self {
        state.verifier.clone()
    }
}
