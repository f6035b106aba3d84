//! The progress, the result and the errors of an import.

use std::io;

#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("line {line}: {reason}")]
    Line { line: u64, reason: String },
    #[error("{count} broken lines, and nothing was imported; the first:\n{}", .first.join("\n"))]
    Broken { count: u64, first: Vec<String> },
    #[error("the file cannot be read: {0}")]
    File(#[from] io::Error),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// The result of an import.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    pub records: u64,
    /// Records that an earlier run imported.
    pub known: u64,
    pub events: u64,
}

/// How far an import is.
#[derive(Debug, Clone, Copy)]
pub enum Progress {
    Checked { records: u64 },
    Applied { records: u64, of: u64 },
}
