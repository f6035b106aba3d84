//! A read that was asked for: by whom, when, and in which forms its answer is welcome.

use std::time::Instant;

use axum::{
    Extension,
    extract::{FromRequestParts, rejection::ExtensionRejection},
    http::{HeaderMap, HeaderValue, header, request::Parts},
};
use uuid::Uuid;

use crate::{answer::Coding, auth::Admitted};

/// To be taken by a handler, last of what it takes from the header.
#[derive(Debug)]
pub struct Asked {
    pub viewer: Uuid,
    pub arrived: Instant,
    /// What its client has seen may not have been heard of: only what is loaded from now on has it for sure.
    pub unheard: bool,
    headers: HeaderMap,
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    /// A route without a gate, which there is none of.
    type Rejection = ExtensionRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ExtensionRejection> {
        let Extension(admitted) = Extension::<Admitted>::from_request_parts(parts, state).await?;
        Ok(Self {
            viewer: admitted.viewer,
            arrived: admitted.arrived,
            unheard: admitted.unheard,
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
