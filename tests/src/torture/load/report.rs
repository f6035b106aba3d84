//! What a client did.

use crate::torture::operation::HistoryEntry;

/// What a client did, and the answers that it got.
#[derive(Debug, Default)]
pub struct Report {
    /// In the order of the answers.
    pub entries: Vec<HistoryEntry>,
    /// Attempts without a definite answer.
    pub unknown: usize,
    /// Commands that got a definite answer after such an attempt.
    pub resolved: usize,
    /// Reads with an answer, and reads with 503 or without an answer.
    pub reads: usize,
    pub reads_refused: usize,
    /// Answers that must never be given.
    pub wrong: Vec<String>,
}
