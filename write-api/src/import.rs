//! Imports an existing community from a file of JSON records, one on each line, in order of `at`.
//!
//! The file is read twice. First every line is checked: its form, its texts, the order of times, and that the records it
//! refers to come before it or were imported earlier. If a line is invalid, nothing is imported. Then the records are
//! applied in batches, through the same decisions as commands over HTTP. A record that a decision refuses, for example
//! because its handle is taken, stops the import at its line; the lines before it stay. An import can be run again: it skips
//! the records that were imported.

mod apply;
mod check;
mod names;
mod record;
mod record_type;

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek},
};

use chrono::{DateTime, Utc};
use sqlx::{ConnectOptions as _, postgres::PgConnectOptions};

/// A longer line is refused, so that it is not read into memory. In bytes.
const MAX_LINE: u64 = 256 * 1024;
/// The maximum number of records in a transaction.
const MAX_BATCH: usize = 2_000;

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

/// Imports a file. No record may be later than `now`.
pub async fn run(
    options: &PgConnectOptions,
    mut file: File,
    now: DateTime<Utc>,
    mut progress: impl FnMut(Progress),
) -> Result<Summary, ImportError> {
    let mut connection = options.connect().await?;
    let total = check::file(&mut connection, &file, now, &mut progress).await?;
    file.rewind()?;

    let mut summary = Summary::default();
    let mut lines = Lines::of(&file);
    loop {
        let mut batch = Vec::with_capacity(MAX_BATCH);
        while batch.len() < MAX_BATCH {
            match lines.next() {
                None => break,
                Some(line) => {
                    let (line, text) = line?;
                    let record = record::parse(&text)
                        .map_err(|reason| ImportError::Line { line, reason })?;
                    batch.push((line, record));
                }
            }
        }
        if batch.is_empty() {
            return Ok(summary);
        }
        apply::apply(&mut connection, &batch, &mut summary).await?;
        progress(Progress::Applied {
            records: summary.records,
            of: total,
        });
    }
}

/// The lines of a file with their numbers, counted from 1. Empty lines are skipped.
struct Lines<R> {
    reader: R,
    number: u64,
}

impl<'f> Lines<BufReader<&'f File>> {
    fn of(file: &'f File) -> Self {
        Self {
            reader: BufReader::with_capacity(256 * 1024, file),
            number: 0,
        }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<(u64, Vec<u8>), ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut line = Vec::new();
            self.number += 1;
            match self
                .reader
                .by_ref()
                .take(MAX_LINE + 1)
                .read_until(b'\n', &mut line)
            {
                Err(error) => return Some(Err(error.into())),
                Ok(0) => return None,
                Ok(read) if read as u64 > MAX_LINE => {
                    let reason = format!("is longer than {MAX_LINE} bytes");
                    return Some(Err(ImportError::Line {
                        line: self.number,
                        reason,
                    }));
                }
                Ok(_) if line.trim_ascii().is_empty() => {}
                Ok(_) => return Some(Ok((self.number, line))),
            }
        }
    }
}
