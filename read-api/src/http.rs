//! The handlers, by noun. Each reads its parameters, asks one query, and answers.

pub mod conversation;
pub mod digest;
pub mod feed;
pub mod notification;
pub mod post;
pub mod stream;
pub mod user;

/// What a handler answers.
pub(crate) type Result = std::result::Result<axum::response::Response, crate::error::Error>;
