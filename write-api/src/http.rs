//! HTTP: one file a noun. A handler takes the request apart, has its command carried out, and answers.
//!
//! - [`request`]: bodies, idempotency keys, and fields that become domain types.
//! - [`respond`]: answers with their positions, and what things look like in JSON.

pub mod accounts;
pub mod conversations;
pub mod follows;
pub mod keys;
pub mod likes;
pub mod me;
pub mod messages;
pub mod notifications;
pub mod posts;
pub mod sessions;

mod request;
mod respond;
