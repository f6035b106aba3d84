//! Imports an existing community from a file of JSON records, one on each line, in order of `at`.
//!
//! The file is read twice. First every line is checked: its form, its texts, the order of times, and that the records it
//! refers to come before it or were imported earlier. If a line is invalid, nothing is imported. Then the records are
//! applied in batches, through the same decisions as commands over HTTP. A record that a decision refuses, for example
//! because its handle is taken, stops the import at its line; the lines before it stay. An import can be run again: it skips
//! the records that were imported.

mod apply;
mod check;
mod lines;
mod names;
mod record;
mod record_type;
mod records;
mod report;

use std::{
    fs::File,
    io::Seek,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use sqlx::{ConnectOptions as _, postgres::PgConnectOptions};

use self::records::Records;
pub use self::report::{ImportError, Progress, Summary};

/// The least and the greatest number of records in a transaction. Between the two, transactions are as large as fits into about
/// [`MAX_TIME`], because commands wait for them.
///
/// Large transactions are faster over TLS. A statement of more than 16 KiB can wait 40 ms for a delayed TCP acknowledgement,
/// because sqlx 0.9.0 does not set TCP_NODELAY (sqlx issue 4335), and the wait does not grow with the statement. With 2,000
/// records in a transaction, an import over TLS took 2.8 times as long as without TLS. With 20,000, it takes a fifth longer.
const MIN_BATCH: usize = 2_000;
const MAX_BATCH: usize = 20_000;
const MAX_TIME: Duration = Duration::from_secs(2);

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
    let mut records = Records::of(&file);
    let mut size = MIN_BATCH;
    loop {
        let mut batch = Vec::with_capacity(size);
        while batch.len() < size {
            match records.next() {
                None => break,
                Some(item) => {
                    let (line, record) = item?;
                    let record = record.map_err(|reason| ImportError::Line { line, reason })?;
                    batch.push((line, record));
                }
            }
        }
        if batch.is_empty() {
            return Ok(summary);
        }
        let started = Instant::now();
        apply::apply(&mut connection, &batch, &mut summary).await?;
        size = next_size(batch.len(), started.elapsed());
        progress(Progress::Applied {
            records: summary.records,
            of: total,
        });
    }
}

/// How many records take about [`MAX_TIME`], given that `records` took the time `took`.
fn next_size(records: usize, took: Duration) -> usize {
    let fit = records as u128 * MAX_TIME.as_micros() / took.as_micros().max(1);
    usize::try_from(fit)
        .unwrap_or(MAX_BATCH)
        .clamp(MIN_BATCH, MAX_BATCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transactions_grow_and_shrink_to_their_time() {
        assert_eq!(next_size(2_000, Duration::from_millis(500)), 8_000);
        assert_eq!(next_size(8_000, Duration::from_millis(500)), MAX_BATCH);
        assert_eq!(next_size(20_000, Duration::from_secs(4)), 10_000);
        assert_eq!(next_size(20_000, Duration::from_mins(1)), MIN_BATCH);
        assert_eq!(next_size(2_000, Duration::ZERO), MAX_BATCH);
    }
}
