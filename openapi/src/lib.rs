//! `docs/openapi.json`: the description of both APIs in one document, made from their routers. The services embed the file, and
//! a test fails when it is not up to date.

mod document;

use std::path::PathBuf;

pub use document::text;

/// The file in the source tree that this was built from.
pub fn file() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "docs", "openapi.json"]
        .iter()
        .collect()
}
