//! A page of anything.

use serde::Serialize;

#[derive(Debug, Clone, Serialize)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// None at the end, and only there.
    pub next_cursor: Option<String>,
}
