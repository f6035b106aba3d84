//! The table of all endpoints. The tests of access, input, pagination, positions, statements and idempotency are
//! generated from it, and a test fails when the API has an operation that it lacks.
//!
//! Placeholders in paths and bodies name things of the scene in `tests/it/scene.rs`, so that every row is a request
//! that Alice may make.

mod bad_values;
mod endpoint;
#[cfg(test)]
mod routers;
mod table;

pub use endpoint::{Access, BadValues, Body, Endpoint, Kind, Service};
pub use table::ENDPOINTS;

/// Every command that needs a token.
pub fn commands() -> impl Iterator<Item = &'static Endpoint> {
    let all = ENDPOINTS.iter();
    all.filter(|endpoint| endpoint.kind == Kind::Command && endpoint.needs_token())
}

/// Every read, of one thing or of a list.
pub fn reads() -> impl Iterator<Item = &'static Endpoint> {
    ENDPOINTS.iter().filter(|endpoint| endpoint.is_read())
}

/// Every list.
pub fn lists() -> impl Iterator<Item = &'static Endpoint> {
    let all = ENDPOINTS.iter();
    all.filter(|endpoint| endpoint.kind == Kind::List)
}

/// Every read whose path is the same for all accounts, like `/v1/feed`.
pub fn own_reads() -> impl Iterator<Item = &'static Endpoint> {
    reads().filter(|endpoint| !endpoint.first_path().contains('{'))
}
