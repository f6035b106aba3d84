//! Clients of both APIs.
//!
//! - `http`: requests and answers; the client remembers the positions of its commands.
//! - `pages`: a list, page by page.
//! - `problem`: assertions about problem documents.
//! - `events`: the stream of live updates.

mod events;
mod http;
mod pages;
mod problem;

pub use events::{EventStream, ServerSentEvent};
pub use http::{Answer, Client, PASSWORD, audience_body, http};
pub use pages::Pages;
pub use problem::{assert_field, assert_problem};
