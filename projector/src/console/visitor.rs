//! Who asks for a page.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, request::Parts},
};

use super::{access::Operator, error::PageError, session::Sessions};

/// Somebody who may use the console.
#[derive(Debug, Clone)]
pub struct Visitor {
    pub operator: Operator,
    /// Of the session; empty with `Authorization`, which no other page can send.
    pub csrf: String,
    /// For notices.
    pub sessions: Sessions,
    pub headers: HeaderMap,
}

impl Visitor {
    pub fn name(&self) -> &str {
        &self.operator.name
    }

    /// Has the next page say what an action led to.
    pub fn notify(&self, notice: impl Into<String>) {
        self.sessions.notify(&self.headers, notice.into());
    }

    pub fn take_notice(&self) -> Option<String> {
        self.sessions.take_notice(&self.headers)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visitor {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, PageError> {
        parts
            .extensions
            .get()
            .cloned()
            .ok_or_else(|| PageError::forbidden("Sign in first."))
    }
}
