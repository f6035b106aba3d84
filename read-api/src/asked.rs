//! A read that was asked for: by whom, when, and in which forms its answer is welcome.

use std::{convert::Infallible, time::Instant};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, header, request::Parts},
};
use uuid::Uuid;

use crate::{answer::Coding, auth::Viewer, position::Waited};

/// To be taken by a handler, last of what it takes from the header.
#[derive(Debug)]
pub struct Asked {
    pub viewer: Uuid,
    pub arrived: Instant,
    /// What its client has seen may not have been heard of: only what is loaded from now on has it for sure.
    pub unheard: bool,
    headers: HeaderMap,
}

impl<S: Sync> FromRequestParts<S> for Asked {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let viewer = parts.extensions.get::<Viewer>();
        let waited = parts.extensions.get::<Waited>();
        Ok(Self {
            viewer: viewer.map_or(Uuid::nil(), |viewer| viewer.0),
            arrived: waited.map_or_else(Instant::now, |waited| waited.arrived),
            unheard: waited.is_none_or(|waited| waited.unheard),
            headers: std::mem::take(&mut parts.headers),
        })
    }
}

impl Asked {
    pub fn coding(&self) -> Coding {
        Coding::wanted(&self.headers)
    }

    /// Whether `If-None-Match` names this `ETag`, or any.
    pub fn has(&self, etag: &HeaderValue) -> bool {
        let named = self.headers.get_all(header::IF_NONE_MATCH).into_iter();
        named
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(|tag| tag.trim().trim_start_matches("W/"))
            .any(|tag| tag == "*" || tag.as_bytes() == etag.as_bytes())
    }
}
