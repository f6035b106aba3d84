//! Why a batch was not applied, and what to do then.

use std::time::Duration;

use feedmill_events::{DecodeError, Partition};

#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error("event {partition}:{seq}: {source}")]
    Decode {
        partition: Partition,
        seq: i64,
        source: DecodeError,
    },
    #[error("{0} ms is not a valid time")]
    InvalidTime(i64),
    #[error(
        "event {partition}:{seq} is missing from the log, although the partition's head is at or after it"
    )]
    MissingEvent { partition: Partition, seq: i64 },
    /// The tables do not have the rows that the log implies.
    #[error("{statement} changed {changed} rows instead of {expected}")]
    RowCount {
        statement: &'static str,
        expected: usize,
        changed: u64,
    },
    /// Another instance moved the checkpoint, or another generation is live.
    #[error("the checkpoint is not where this instance left it")]
    Conflict,
    /// Other instances may own its partitions by now.
    #[error("this instance did not renew its lease for {:.1} s, so the lease has expired", .0.as_secs_f64())]
    LeaseExpired(Duration),
    #[error("cannot read the log: {0}")]
    Log(sqlx::Error),
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
}

/// What to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// Nothing is wrong with the events: load the checkpoints again and continue, however often.
    Restart,
    /// It would happen again: find the event and block its partition.
    Isolate,
}

impl ApplyError {
    /// Blames the events for errors about data (SQLSTATE class 22), constraints (23), limits (54) and triggers (P0), and
    /// for statements that took too long. All other server errors are about connections, conflicting transactions,
    /// resources, privileges or missing tables.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Decode { .. }
            | Self::InvalidTime(_)
            | Self::MissingEvent { .. }
            | Self::RowCount { .. } => Recovery::Isolate,
            Self::Sql(sqlx::Error::Database(error))
                if error.code().is_some_and(|code| {
                    code == "57014"
                        || ["22", "23", "54", "P0"]
                            .iter()
                            .any(|class| code.starts_with(class))
                }) =>
            {
                Recovery::Isolate
            }
            Self::Conflict | Self::LeaseExpired(_) | Self::Log(_) | Self::Sql(_) => {
                Recovery::Restart
            }
        }
    }
}

/// Errors: the statement did not change exactly the rows that the log implies.
pub fn expect_rows(
    statement: &'static str,
    expected: usize,
    changed: u64,
) -> Result<(), ApplyError> {
    if u64::try_from(expected) == Ok(changed) {
        Ok(())
    } else {
        Err(ApplyError::RowCount {
            statement,
            expected,
            changed,
        })
    }
}
