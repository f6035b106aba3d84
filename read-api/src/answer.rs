//! The one place where views become bytes.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde::Serialize;

use crate::error::Error;

/// A body that is ready to be sent.
#[derive(Debug, Clone)]
pub struct Answer {
    body: Bytes,
    /// The value of `Link`.
    link: Option<String>,
}

impl Answer {
    pub fn new(view: &impl Serialize) -> Result<Self, Error> {
        Ok(Self {
            body: serde_json::to_vec(view)?.into(),
            link: None,
        })
    }

    /// With a link to the next page, if there is one.
    pub fn with_next(mut self, target: Option<&str>) -> Self {
        self.link = target.map(|target| format!("<{target}>; rel=\"next\""));
        self
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let content_type = (header::CONTENT_TYPE, "application/json");
        match self.link {
            Some(link) => ([content_type], [(header::LINK, link)], self.body).into_response(),
            None => ([content_type], self.body).into_response(),
        }
    }
}
