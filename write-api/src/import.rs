//! Takes over an existing community from a file of JSON records, one a line, in order of `at`.
//!
//! The file is read twice. First every line is checked: its form, its texts, the order of times, and that what
//! it names comes before it or is already here; a file with a broken line changes nothing. Then the records are
//! applied in batches, through the same decisions as commands over HTTP. What only a decision can refuse (a
//! handle that somebody else has) stops the import at that line; the lines before it stand, and the import can
//! be run again, since a record that was brought once is left alone.

mod apply;
mod check;
mod record;

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek},
};

use chrono::{DateTime, Utc};
use sqlx::{ConnectOptions as _, postgres::PgConnectOptions};

use record::Record;

/// A line that is longer is refused rather than read into memory.
const MAX_LINE: u64 = 256 * 1024;
/// Records that share a transaction.
const BATCH: usize = 2_000;

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

/// What an import did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    pub records: u64,
    /// Those that were brought by an earlier import, and left alone.
    pub known: u64,
    pub events: u64,
}

/// What an import is doing, for whoever watches.
#[derive(Debug, Clone, Copy)]
pub enum Progress {
    Checked { records: u64 },
    Applied { records: u64, of: u64 },
}

/// Imports a file. `now` is the time after which no record may be.
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
        let mut batch = Vec::with_capacity(BATCH);
        while batch.len() < BATCH {
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
        apply::batch(&mut connection, &batch, &mut summary).await?;
        progress(Progress::Applied {
            records: summary.records,
            of: total,
        });
    }
}

/// The lines of a file with their numbers, counted from 1; empty ones are passed over.
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

/// A name that a file gives to a thing: its kind and the record's id.
type Name = (&'static str, String);

impl Record {
    /// The names that must be there before this record.
    fn references(&self) -> Vec<Name> {
        self.action.references()
    }
}
