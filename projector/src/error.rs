//! What can go wrong with a batch, and what is done about it.

use std::time::Duration;

use feedmill_events::{DecodeError, Partition};

/// Why a batch was not applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error("event {partition}:{seq}: {source}")]
    Decode {
        partition: Partition,
        seq: i64,
        source: DecodeError,
    },
    #[error("{0} ms is no time")]
    Time(i64),
    #[error("the log has no event {partition}:{seq}, although its head is further")]
    Hole { partition: Partition, seq: i64 },
    /// The tables are not what the log says that they are.
    #[error("{statement} changed {changed} rows instead of {expected}")]
    Rows {
        statement: &'static str,
        expected: usize,
        changed: u64,
    },
    /// Somebody else moved the checkpoint, or another generation is live.
    #[error("the checkpoint is not where this instance left it")]
    Conflict,
    /// Others may have its partitions by now.
    #[error("this instance was away for {:.1} s, longer than its lease", .0.as_secs_f64())]
    Lapsed(Duration),
    #[error("cannot read the log: {0}")]
    Log(sqlx::Error),
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Nothing is wrong with the events: read the checkpoints again and go on, for ever.
    StartOver,
    /// It would fail again: find the event and stop its partition.
    Isolate,
}

impl ApplyError {
    /// An error of the server is the events' fault only if it is about data (class 22), constraints (23),
    /// limits (54), raised by a trigger (P0), or if the statement took too long; everything else is about
    /// connections, transactions in each other's way, resources, rights or missing tables.
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Decode { .. } | Self::Time(_) | Self::Hole { .. } | Self::Rows { .. } => {
                Remedy::Isolate
            }
            Self::Sql(sqlx::Error::Database(error))
                if error.code().is_some_and(|code| {
                    code == "57014"
                        || ["22", "23", "54", "P0"]
                            .iter()
                            .any(|class| code.starts_with(class))
                }) =>
            {
                Remedy::Isolate
            }
            Self::Conflict | Self::Lapsed(_) | Self::Log(_) | Self::Sql(_) => Remedy::StartOver,
        }
    }
}

/// Demands that a statement changed exactly the rows that the log says are there.
pub fn expect_rows(
    statement: &'static str,
    expected: usize,
    changed: u64,
) -> Result<(), ApplyError> {
    if u64::try_from(expected) == Ok(changed) {
        Ok(())
    } else {
        Err(ApplyError::Rows {
            statement,
            expected,
            changed,
        })
    }
}
