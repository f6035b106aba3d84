//! What all requests share.

use std::{ops::Deref, sync::Arc};

use axum::extract::FromRef;
use feedmill_service::{Database, Verifier};

use crate::{
    cache::Cache, changes::Changes, cursor::Cursors, followed::Followed, posts::Posts,
    progress::Progress, scores::Scores, stream::Streams,
};

/// The live read models; statements name tables without a schema.
pub const SEARCH_PATH: &str = "profiles, feed, digest, conversations, notifications, projector";

/// Cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<Shared>);

pub struct Shared {
    pub database: Database,
    pub verifier: Verifier,
    pub cursors: Cursors,
    pub progress: Progress,
    pub changes: Changes,
    pub cache: Cache,
    pub posts: Posts,
    pub scores: Scores,
    pub followed: Followed,
    pub streams: Streams,
}

impl AppState {
    pub fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }
}

impl Deref for AppState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl FromRef<AppState> for Verifier {
    fn from_ref(state: &AppState) -> Self {
        state.verifier.clone()
    }
}
