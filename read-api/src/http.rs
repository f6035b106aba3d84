//! What all endpoints need of HTTP: the gate before them, the request's context, pages, and the response.

pub mod accept_encoding;
pub mod auth;
pub mod cursor;
pub mod min_position;
pub mod page;
pub mod period;
pub mod request_context;
pub mod respond;
pub mod sort_key;
