//! What all requests share.

use std::{ops::Deref, sync::Arc};

use feedmill_service::{Database, Verifier};

use crate::{
    cache::caches::Caches,
    freshness::{progress::Progress, tag_versions::TagVersions},
    http::cursor::Cursors,
    sql::secrets::Secrets,
    stream::registry::Streams,
};

/// Cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<Shared>);

pub struct Shared {
    pub database: Database,
    pub verifier: Verifier,
    pub cursors: Cursors,
    pub progress: Progress,
    pub secrets: Secrets,
    pub tag_versions: TagVersions,
    pub caches: Caches,
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
